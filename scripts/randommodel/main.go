// Command randommodel writes a model folder with random weights, for measurements that do not depend on what a
// model says.
//
//	go run ./scripts/randommodel -shape 7b /dev/shm/7b
//	go run ./scripts/randommodel -list                    the shapes there are
//
// A folder is what Hugging Face has: config.json, safetensors in bfloat16 of at most 5 GB each with their index, and
// a tokenizer. The same shape gives the same bytes anywhere: a weight is a hash of its tensor's name and its place,
// with a standard deviation of 0.02, and gains of norms are 1. The tokenizer is that of the embedded LLaMA-style
// model, so that English has some three characters a token, and made-up words of Greek and Cyrillic letters for
// the rest of the vocabulary: whatever such a model writes can be read again, a token for each token.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

func main() {
	if err := command(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "randommodel:", err)
		os.Exit(1)
	}
}

func command(args []string, out io.Writer) error {
	f := flag.NewFlagSet("randommodel", flag.ContinueOnError)
	name := f.String("shape", "", "one of "+strings.Join(shapeNames(), ", "))
	list := f.Bool("list", false, "print the shapes and write nothing")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *list {
		for _, s := range shapes {
			fmt.Fprintf(out, "%-5s %s\n", s.name, s.config())
		}
		return nil
	}
	s, err := shapeOf(*name)
	if err != nil {
		return err
	}
	if f.NArg() != 1 {
		return fmt.Errorf("%d arguments, want the folder that is written", f.NArg())
	}
	begun := time.Now()
	size, err := write(f.Arg(0), s, maxShard)
	if err != nil {
		return fmt.Errorf("write %s to %s: %w", s.name, f.Arg(0), err)
	}
	fmt.Fprintf(out, "%s: %d MiB of weights in %.1f s\n", f.Arg(0), size>>20, time.Since(begun).Seconds())
	return nil
}

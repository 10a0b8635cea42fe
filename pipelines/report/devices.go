package report

import (
	"io"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// Devices prints what can run models, and of what cannot, why, for a terminal of so many columns; 0: for no terminal.
func Devices(w io.Writer, list []pipelines.DeviceState, columns int) error {
	p := &printer{w: w, width: columns}
	rows := [][]string{{"device", "here", "in recipes, or why not"}}
	for _, d := range list {
		if d.Why != nil {
			rows = append(rows, []string{d.Name, "no", visible(d.Why.Error())})
			for _, at := range d.Places {
				rows = append(rows, []string{"", "", "looked at " + visible(at)})
			}
			continue
		}
		rows = append(rows, []string{d.Name, "yes", d.Recipe})
		if d.Detail != "" {
			rows = append(rows, []string{"", "", visible(d.Detail)})
		}
		if d.Memory > 0 {
			rows = append(rows, []string{"", "", "gives programs up to " + pipelines.Size(d.Memory)})
		}
	}
	p.columns(rows)
	return p.err
}

package main

import (
	"encoding/json"
	"flag"
	"path/filepath"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// deviceFlags say what runs models.
type deviceFlags struct{ name, plugin string }

// register adds the flags; standard is the device without them, "" if the configuration says.
func (x *deviceFlags) register(f *flag.FlagSet, standard string) {
	f.StringVar(&x.name, "device", standard, "`device` that runs models: cpu, xla-cpu, cuda; cuda:1 is the second card; with :bf16 after it, products in bfloat16"+map[bool]string{true: "; for what is stored of another machine, as its recipes have it (default: the configuration's)"}[standard == ""])
	f.StringVar(&x.plugin, "device_plugin", "", "`file` of the plugin of xla-cpu or cuda, or a folder that has it (default: \"runpipeline device list\" says where it is looked for)")
}

// settings are the flags as overrides of a configuration. A path is meant from where the command is called, not from
// the configuration's folder.
func (x *deviceFlags) settings() (set []string, err error) {
	for _, one := range []struct{ key, value string }{{"device", x.name}, {"device_plugin", x.plugin}} {
		if one.value == "" {
			continue
		}
		if one.key == "device_plugin" {
			if one.value, err = filepath.Abs(one.value); err != nil {
				return nil, err
			}
		}
		text, err := json.Marshal(one.value)
		if err != nil {
			return nil, err
		}
		set = append(set, one.key+"="+string(text))
	}
	return set, nil
}

// open finds the device.
func (x *deviceFlags) open() (pipelines.Device, error) {
	return pipelines.OpenDevice("-", x.name, x.plugin)
}

// deviceLine says which device was taken, if there is a choice.
func (a *app) deviceLine(text string) {
	if text != "" {
		a.stderr.line("%s", text)
	}
}

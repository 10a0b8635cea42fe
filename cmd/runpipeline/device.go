package main

import (
	"context"
	"fmt"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/pipelines/report"
)

// deviceCommand has commands of its own.
func deviceCommand(ctx context.Context, a *app, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "list":
			return deviceList(a, args[1:])
		case "install":
			return deviceInstall(ctx, a, args[1:])
		}
	}
	err := parse(newFlags("device", a.stderr), args, len(args))
	if err == nil {
		err = errUsage
	}
	fmt.Fprintln(a.stderr, "runpipeline device list: what can run models here, and why the rest cannot")
	fmt.Fprintln(a.stderr, "runpipeline device install xla-cpu|cuda: the plugin that -device xla-cpu or cuda needs; \"-h\" after it for its flags")
	return err
}

// deviceList prints what can run models here.
func deviceList(a *app, args []string) error {
	f := newFlags("device list", a.stderr)
	plugin := f.String("device_plugin", "", "`file` of a plugin, or a folder that has it")
	if err := parse(f, args, 0); err != nil {
		return err
	}
	return report.Devices(a.stdout, pipelines.ListDevices(*plugin), a.stdout.width())
}

// deviceInstall installs a plugin. The device may stand before the flags or after them.
func deviceInstall(ctx context.Context, a *app, args []string) error {
	f := newFlags("device install", a.stderr)
	from := f.String("from", "", "a wheel, a shared library, or a folder that has one: `FILE`; without it the wheel is fetched from the Python package index (PIP_INDEX_URL)")
	sha256 := f.String("sha256", "", "`digest` of the file of -from, if it is another than this program knows")
	device := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		device, args = args[0], args[1:]
	}
	if err := parse(f, args, 1); err != nil {
		return err
	}
	switch {
	case device == "":
		device = f.Arg(0)
	case f.NArg() > 0:
		fmt.Fprintf(a.stderr, "%s: unexpected argument %q\n", f.Name(), f.Arg(0))
		return usage(f)
	}
	told := func(file string, done, total int64) {
		a.downloads.progress(pipelines.OfferedPlugin(device), file, done, total)
	}
	i, err := pipelines.InstallPlugin(ctx, device, *from, *sha256, told)
	if err != nil {
		return err
	}
	a.notes(i.Notes)
	a.stdout.line("installed the plugin of %s (%s): %s", device, i.Title, i.Path)
	return nil
}

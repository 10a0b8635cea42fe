// Runpipeline carries a persona vector from one language model to another and tells whether it
// works. Without arguments it runs the whole experiment on an embedded pair of tiny models.
//
//	runpipeline [run]   the experiment: a table on standard output, files in output_dir
//	runpipeline plan    what a run would do, and why
//	runpipeline report  the page, tables and figures of a finished run, from its folder
//	runpipeline check   sanity checks on the configured models, one PASS or FAIL line each
//	runpipeline probe   tokens, residual norms, next tokens and a continuation of one model
//	runpipeline steer   generate from one model with a vector added, once or interactively
//	runpipeline bench   how fast a model runs here: tokens a second, beside the machine's own peak
//	runpipeline show    a stored artifact as text
//	runpipeline export  a stored vector or map as safetensors, GGUF control vector or JSON
//	runpipeline fit     fit a map to paired activations of your own
//	runpipeline transfer carry a vector of your own across a stored, exported or fitted map
//	runpipeline sheet   texts for a person to rate, blinded; with -score, how far person and scorers agree
//	runpipeline explain how a stage or an artifact came about, or what changed so that it is not there
//	runpipeline verify  compute what is stored again and compare, one PASS or FAIL line for each stage
//	runpipeline runs    what runs did, with their configurations, times and machines
//	runpipeline gc      remove what neither the last runs nor those that are named refer to
//	runpipeline fsck    read every stored byte and list what is damaged; -repair removes it
//	runpipeline device  list what can run models here, or install a plugin for XLA
//	runpipeline worker  a pool of workers for runs on Flink and other remote runners
//	runpipeline version what this program was built from
//
// Run "runpipeline COMMAND -h" for a command's flags. Exit codes:
//
//	0    done
//	1    a stage failed; the message names it and the cause
//	2    never chosen: the Go runtime crashed
//	3    bad flag or configuration; nothing was run
//	4    model, data or device missing, or too little memory; nothing was begun
//	5    stored bytes are damaged
//	6    check or verify found a difference: a line says FAIL
//	130  interrupted; finished work is kept
//
// Results go to standard output, progress and errors to standard error. The first interrupt lets the
// units that are being computed finish, the second stops at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/persona-transfer/runpipeline/cache"
	_ "github.com/persona-transfer/runpipeline/cache/bucket" // -cache s3://…, gs://…, azblob://…
	"github.com/persona-transfer/runpipeline/pipelines"
)

const (
	exitDone        = 0
	exitStage       = 1
	exitConfig      = 3
	exitMissing     = 4
	exitCorrupt     = 5
	exitDiffers     = 6
	exitInterrupted = 130
)

// A command is one subcommand: its flags, and what it does once they are read.
type command struct {
	name, summary string
	run           func(ctx context.Context, a *app, args []string) error
}

// An app is the process as a command sees it, so that tests can call one.
type app struct {
	stdin          io.Reader
	stdout, stderr *screen
	downloads      *downloads
	available      func() pipelines.Memory // nil: what the system says

	mu   sync.Mutex
	stop context.CancelFunc // ends the one thing that an interrupt ends now instead of the command; nil: there is none
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *app {
	people := newScreen(stderr, true)
	return &app{stdin: stdin, stdout: newScreen(stdout, false), stderr: people, downloads: newDownloads(people)}
}

var commands = []command{
	{"run", "the experiment: a table on standard output, files in output_dir", runCommand},
	{"plan", "what a run would do, and why", planCommand},
	{"report", "the page, tables and figures of a finished run, from its folder", reportCommand},
	{"check", "sanity checks on the configured models, one PASS or FAIL line each", checkCommand},
	{"probe", "tokens, residual norms, next tokens and a continuation of one model", probeCommand},
	{"steer", "generate from one model with a vector added, once or interactively", steerCommand},
	{"bench", "how fast a model runs here: tokens a second, beside the machine's own peak", benchCommand},
	{"show", "a stored artifact as text; without a name, the list of them", showCommand},
	{"export", "a stored vector or map as safetensors, GGUF control vector or JSON", exportCommand},
	{"fit", "fit a map to paired activations of your own", fitCommand},
	{"transfer", "carry a vector of your own across a stored, exported or fitted map", transferCommand},
	{"sheet", "texts for a person to rate, blinded; with -score, how far person and scorers agree", sheetCommand},
	{"explain", "how a stage or an artifact came about, or what changed so that it is not there", explainCommand},
	{"verify", "compute what is stored again and compare, one PASS or FAIL line for each stage", verifyCommand},
	{"runs", "what runs did, with their configurations, times and machines", runsCommand},
	{"gc", "remove what neither the last runs nor those that are named refer to", gcCommand},
	{"fsck", "read every stored byte and list what is damaged; -repair removes it", fsckCommand},
	{"device", "list what can run models here, or install a plugin for XLA", deviceCommand},
	{"worker", "a pool of workers for runs on Flink and other remote runners", workerCommand},
	{"version", "what this program was built from", versionCommand},
}

func main() {
	if pipelines.IsWorker(os.Args[1:]) { // a runner started this process, and reads what it writes
		pipelines.Work(os.Args[1:])
		return
	}
	a := newApp(os.Stdin, os.Stdout, os.Stderr)
	os.Exit(a.main(a.interruptible(), os.Args[1:]))
}

// interruptible gives a context that the first interrupt ends; the second ends the process.
func (a *app) interruptible() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for s := range signals {
			switch {
			case s == os.Interrupt && a.interrupt():
			case ctx.Err() != nil:
				os.Exit(exitInterrupted)
			default:
				if a.stderr.terminal {
					a.stderr.control(eraseLine)
				}
				fmt.Fprintln(a.stderr, "interrupted; finishing the current units; again to stop at once")
				cancel()
			}
		}
	}()
	return ctx
}

// stoppable gives a context that the next interrupt ends, once, in place of the command. end must be called.
func (a *app) stoppable(ctx context.Context) (inner context.Context, end func()) {
	inner, cancel := context.WithCancel(ctx)
	set := func(stop context.CancelFunc) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.stop = stop
	}
	set(cancel)
	return inner, func() {
		set(nil)
		cancel()
	}
}

// interrupt ends what is stoppable, if anything is.
func (a *app) interrupt() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stop == nil {
		return false
	}
	a.stop()
	a.stop = nil
	return true
}

// main runs one command and gives its exit code. Results that could not be written are a failure,
// whatever the command itself made of them.
func (a *app) main(ctx context.Context, args []string) int {
	code := a.command(ctx, args)
	if err := a.stdout.finish(); err != nil && code == exitDone {
		code = a.exit(ctx, fmt.Errorf("write standard output: %w", unwrapPath(err)))
	}
	a.stderr.finish()
	return code
}

// command runs one command and turns its error into an exit code.
func (a *app) command(ctx context.Context, args []string) int {
	name := "run"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	if name == "run" && len(args) > 0 {
		switch args[0] {
		case "-h", "-help", "--help":
			name = "help"
		case "-version", "--version":
			name, args = "version", args[1:]
		}
	}
	if name == "help" && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], []string{"-h"}
	}
	if name == "help" {
		a.manual(a.stdout)
		return exitDone
	}
	for _, c := range commands {
		if c.name == name {
			ctx := pipelines.WithDownloads(ctx, a.downloads.progress)
			if a.available != nil {
				ctx = pipelines.WithMemory(ctx, a.available)
			}
			err := c.run(ctx, a, args)
			a.downloads.end()
			return a.exit(ctx, err)
		}
	}
	fmt.Fprintf(a.stderr, "runpipeline: unknown command %q\nrun \"runpipeline help\" for the list of commands\n", name)
	return exitConfig
}

func (a *app) manual(w io.Writer) {
	fmt.Fprintln(w, "Carry a persona vector from one language model to another and prove whether it works.")
	fmt.Fprintln(w, "\nusage: runpipeline [COMMAND] [flags]")
	fmt.Fprintln(w)
	for _, c := range commands {
		fmt.Fprintf(w, "  %-8s %s\n", c.name, c.summary)
	}
	fmt.Fprintln(w, "\nWithout a command, run; without -config, the experiment on the embedded pair of tiny models.")
	fmt.Fprintln(w, "\nflags of run:")
	f := newFlags("run", w)
	new(runFlags).register(f)
	f.PrintDefaults()
	fmt.Fprintln(w, "\nexit codes: 0 done; 1 a stage failed; 3 bad flag or configuration (nothing was run);")
	fmt.Fprintln(w, "4 model, data or device missing, or too little memory; 5 stored bytes damaged; 6 check or verify found a difference; 130 interrupted (finished work is kept)")
}

// errDiffers is a verification that was carried out and came out wrong.
var errDiffers = errors.New("differs")

// errNothingKept is an interrupt of a command that has nothing to go on from.
var errNothingKept = errors.New("interrupted")

// errUsage is a mistake in flags or arguments that has been reported already.
var errUsage = errors.New("usage")

// exit reports an error, with a hint where there is one, and gives its code.
func (a *app) exit(ctx context.Context, err error) int {
	code, hint := exitCode(ctx, err)
	if err == nil || errors.Is(err, errUsage) || errors.Is(err, flag.ErrHelp) {
		return code
	}
	if code == exitInterrupted && errors.Is(err, errNothingKept) {
		fmt.Fprintln(a.stderr, "runpipeline: interrupted")
		return code
	}
	if code == exitInterrupted {
		fmt.Fprintln(a.stderr, "runpipeline: interrupted; finished work is kept: the same command goes on from there")
		return code
	}
	fmt.Fprintf(a.stderr, "runpipeline: %v\n", err)
	if hint != "" {
		fmt.Fprintf(a.stderr, "hint: %s\n", hint)
	}
	return code
}

// A hinted error knows what helps.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

func exitCode(ctx context.Context, err error) (code int, hint string) {
	var noRoom *pipelines.NoRoom
	var known hinted
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitDone, ""
	case ctx.Err() != nil, errors.Is(err, context.Canceled):
		return exitInterrupted, ""
	case errors.Is(err, errUsage), errors.Is(err, pipelines.ErrConfig):
		return exitConfig, ""
	case errors.Is(err, errDiffers):
		return exitDiffers, ""
	case errors.Is(err, cache.ErrCorrupt):
		return exitCorrupt, damageHint
	case errors.As(err, &noRoom):
		return exitMissing, noRoom.Hint()
	case errors.As(err, &known):
		code, _ = exitCode(ctx, known.error)
		return code, known.hint
	case errors.Is(err, pipelines.ErrMissing), errors.Is(err, pipelines.ErrMemory):
		return exitMissing, ""
	case errors.Is(err, pipelines.ErrNoScale):
		return exitStage, "give other persona texts, at least 8 a side and positive ones that the target does not write by itself; -set primary.measure=coherence generates all the same"
	default:
		return exitStage, ""
	}
}

func newFlags(name string, w io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet("runpipeline "+name, flag.ContinueOnError)
	f.SetOutput(w)
	f.Usage = func() {} // parse says what there is to say
	return f
}

// parse reads flags; Go's own message is printed by the flag set, and below it where the flags are
// explained, since the flags themselves would push the message off the screen. No command takes
// arguments beyond its flags unless it says how many.
func parse(f *flag.FlagSet, args []string, arguments int) error {
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(f.Output(), "Usage of %s:\n", f.Name())
			f.PrintDefaults()
			return err
		}
		return usage(f)
	}
	if f.NArg() > arguments {
		fmt.Fprintf(f.Output(), "%s: unexpected argument %q\n", f.Name(), f.Arg(arguments))
		return usage(f)
	}
	return nil
}

// usage ends a mistake in flags that has been reported.
func usage(f *flag.FlagSet) error {
	fmt.Fprintf(f.Output(), "run \"%s -h\" for its flags\n", f.Name())
	return errUsage
}

// A list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

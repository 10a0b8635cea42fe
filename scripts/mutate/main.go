// Command mutate makes the program wrong, one line at a time, and asks its tests to notice.
//
//	go run ./scripts/mutate                                         the whole list
//	go run ./scripts/mutate -run '^trial/'                          those whose names match
//	go run ./scripts/mutate -sample 6 -seed "$(git rev-parse HEAD)" some, another choice for each commit
//	go run ./scripts/mutate -list                                   what is on the list, and why it is wrong
//
// A mutant is one line that compiles and is wrong science: the oracle's vector in place of the mapped
// one, a vector with its sign turned, an input left out of a recipe. Mutants are given to the compiler by
// go's -overlay, so no file of the working tree is ever written, and are awake one at a time. For each, the
// tests that it names run with -short, after they have passed without it. The command exits with 1 if a
// mutant survives or does not compile.
//
// One line is printed for each mutant as it ends: killed and by which test, or SURVIVED. The whole list
// takes three to five minutes on two cores.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		stop()
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("mutate", flag.ContinueOnError)
	names := f.String("run", "", "only mutants whose names match this `regexp`")
	n := f.Int("sample", 0, "only `n` of them, chosen by -seed; 0: all")
	seed := f.String("seed", "", "any `text`; the same text chooses the same sample")
	list := f.Bool("list", false, "print the list and run nothing")
	if err := f.Parse(args); err != nil {
		return err
	}
	match, err := regexp.Compile(*names)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	chosen := choose(mutants(), match, *n, *seed)
	if len(chosen) == 0 {
		return fmt.Errorf("no mutant matches -run %q", *names)
	}
	if problems := check(".", chosen); len(problems) > 0 {
		return fmt.Errorf("the list does not fit the program (run it from the module's root):\n%s", strings.Join(problems, "\n"))
	}
	if *list {
		for _, m := range chosen {
			fmt.Printf("%-40s %s: %s\n", m.Name, m.File, m.Wrong)
		}
		return nil
	}
	return runner{root: ".", out: os.Stdout}.run(ctx, chosen)
}

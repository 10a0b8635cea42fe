package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/pipelines/pool"
)

// workersPatience is how long units under way may take to end once a pool was told to.
const workersPatience = 10 * time.Second

// workerCommand serves a pool of workers until it is told to end.
func workerCommand(ctx context.Context, a *app, args []string) error {
	f := newFlags("worker", a.stderr)
	listen := f.String("listen", "127.0.0.1:0", "`host:port` to listen on; port 0 takes a free one")
	var models list
	f.Var(&models, "models", "`folder` below which models lie that a run names as folders or files; may be repeated")
	deal := f.String("deal", "", "compute nothing, but ask the pools at these addresses for workers in turn: `host:port,host:port…`")
	if err := parse(f, args, 0); err != nil {
		return err
	}
	tell := func(text string) { a.stderr.line("%s", text) }
	var p *pool.Pool
	var err error
	if *deal != "" {
		pools := strings.Split(*deal, ",")
		if problems := checkDeal(pools, models); len(problems) > 0 {
			return problems
		}
		p, err = pipelines.ListenDealer(*listen, pools, tell)
	} else {
		p, err = pipelines.ListenPool(*listen, models, tell)
	}
	if err != nil {
		return pipelines.Problems{fmt.Sprintf("-listen %s: %v", *listen, err)}
	}
	if at, ok := p.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() {
		a.warn("-listen " + *listen + ": a pool asks nobody who he is: whoever reaches it can have this machine compute for him; listen on a private network only")
	}
	a.stdout.line("%s", p.Addr())
	defer pipelines.CloseModels()
	return p.Serve(ctx, workersPatience)
}

func checkDeal(pools []string, models list) (problems pipelines.Problems) {
	for _, at := range pools {
		if _, _, err := net.SplitHostPort(at); err != nil {
			problems = append(problems, fmt.Sprintf("-deal %s: want host:port", at))
		}
	}
	if len(models) > 0 {
		problems = append(problems, "-models: with -deal the workers are in other pools; give it to these")
	}
	return problems
}

package pipelines

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A flink speaks to a cluster's REST interface, which Beam does not: Beam's own call to cancel a job says
// that it is cancelled while Flink goes on.
type flink struct{ base string }

// flinkAnswer is more than any answer that is read takes, and how long it may take to come.
const (
	flinkAnswer  = 8 << 20
	flinkTimeout = 10 * time.Second
)

// call sends a request and reads the answer's JSON into out, unless that is nil.
func (f flink) call(ctx context.Context, method, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, flinkTimeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(f.base, "/")+path, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, flinkAnswer))
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s", method, path, answer.Status)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%s %s: it is not what Flink answers: %w", method, path, err)
	}
	return nil
}

// restarts gives the cluster's restart strategy, "" if it has none.
func (f flink) restarts(ctx context.Context) (string, error) {
	var config []struct{ Key, Value string }
	if err := f.call(ctx, http.MethodGet, "/jobmanager/config", &config); err != nil {
		return "", err
	}
	for _, c := range config {
		if c.Key != "restart-strategy.type" && c.Key != "restart-strategy" { // as it was called before 1.18
			continue
		}
		switch value := strings.ToLower(strings.TrimSpace(c.Value)); value {
		case "", "none", "off", "disable":
		default:
			return value, nil
		}
	}
	return "", nil
}

// job finds the job of a name, which Beam extends.
func (f flink) job(ctx context.Context, name string) (id, state string, err error) {
	var all struct {
		Jobs []struct{ Jid, Name, State string }
	}
	if err := f.call(ctx, http.MethodGet, "/jobs/overview", &all); err != nil {
		return "", "", err
	}
	for _, j := range all.Jobs {
		if j.Name == name || strings.HasPrefix(j.Name, name+"-") {
			return j.Jid, j.State, nil
		}
	}
	return "", "", fmt.Errorf("no job named %s is there", name)
}

// cancel ends a job and says what it did. One that has ended already is no error.
func (f flink) cancel(ctx context.Context, name string) (done string, err error) {
	id, state, err := f.job(ctx, name)
	if err != nil {
		return "", err
	}
	switch state {
	case "FINISHED", "CANCELED", "FAILED":
		return fmt.Sprintf("job %s has ended at %s", id, f.base), nil
	}
	return fmt.Sprintf("job %s was cancelled at %s", id, f.base), f.call(ctx, http.MethodPatch, "/jobs/"+url.PathEscape(id)+"?mode=cancel", nil)
}

// CheckCluster reports a Flink that would give up a job at the first worker that is lost. Without its REST address
// nobody can know; the note says so.
func CheckCluster(ctx context.Context, o Options) (note string, err error) {
	switch {
	case o.Runner != "flink" && o.FlinkREST != "":
		return "", Problems{fmt.Sprintf("-flink_rest: the runner is %s; only flink has a REST address", o.Runner)}
	case o.Runner != "flink":
		return "", nil
	case o.FlinkREST == "":
		return "without -flink_rest it is not known whether Flink tries again what fails with a worker that is lost (restart-strategy.type: fixed-delay), and an interrupted run cannot cancel its job there", nil
	}
	if u, err := url.Parse(o.FlinkREST); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", Problems{fmt.Sprintf("-flink_rest %s: want http://HOST:PORT", o.FlinkREST)}
	}
	strategy, err := flink{o.FlinkREST}.restarts(ctx)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", Problems{fmt.Sprintf("-flink_rest %s: ask for the configuration: %v", o.FlinkREST, err)}
	}
	if strategy == "" {
		return "", Problems{fmt.Sprintf("-flink_rest %s: this Flink gives a job up at the first worker that is lost; its configuration needs\n"+
			"    restart-strategy.type: fixed-delay\n    restart-strategy.fixed-delay.attempts: 20", o.FlinkREST)}
	}
	return "", nil
}

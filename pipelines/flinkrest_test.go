package pipelines

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A fakeFlink answers as Flink 1.19 does, with a job and a configuration.
type fakeFlink struct {
	job, state, config string
	cancelled          []string
}

func (f *fakeFlink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/jobmanager/config":
		fmt.Fprint(w, f.config)
	case r.Method == http.MethodGet && r.URL.Path == "/jobs/overview":
		fmt.Fprintf(w, `{"jobs":[{"jid":"0","name":"runpipeline2-root-1","state":"RUNNING"},{"jid":"39c8","name":%q,"start-time":1,"state":%q}]}`, f.job, f.state)
	case r.Method == http.MethodPatch && r.URL.Query().Get("mode") == "cancel":
		f.cancelled = append(f.cancelled, strings.TrimPrefix(r.URL.Path, "/jobs/"))
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "{}")
	default:
		http.NotFound(w, r)
	}
}

func (f *fakeFlink) serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

// TestFlinkMustTryAgain asks clusters of several configurations.
func TestFlinkMustTryAgain(t *testing.T) {
	for _, c := range []struct {
		config string
		want   string // in the problem; "": none
	}{
		{`[{"key":"restart-strategy.type","value":"fixed-delay"},{"key":"rest.address","value":"x"}]`, ""},
		{`[{"key":"restart-strategy","value":"failure-rate"}]`, ""},
		{`[{"key":"restart-strategy.type","value":"none"}]`, "restart-strategy.type: fixed-delay\n"},
		{`[{"key":"restart-strategy.type","value":"Off"}]`, "restart-strategy.type: fixed-delay\n"},
		{`[{"key":"restart-strategy.fixed-delay.attempts","value":"20"}]`, "restart-strategy.type: fixed-delay\n"},
		{`[]`, "restart-strategy.fixed-delay.attempts: 20"},
		{`<html>`, "it is not what Flink answers"},
	} {
		o := Options{Runner: "flink", FlinkREST: (&fakeFlink{config: c.config}).serve(t)}
		note, err := CheckCluster(t.Context(), o)
		if note != "" || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v; want %q", c.config, note, err, c.want)
		}
	}
	for _, c := range []struct{ o, want string }{
		{"localhost:8081", "want http://HOST:PORT"}, {"ftp://x", "want http://HOST:PORT"}, {"http://127.0.0.1:1", "ask for the configuration"},
	} {
		if _, err := CheckCluster(t.Context(), Options{Runner: "flink", FlinkREST: c.o}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("-flink_rest %s: %v, want %q", c.o, err, c.want)
		}
	}
	if note, err := CheckCluster(t.Context(), Options{Runner: "flink"}); err != nil || !strings.Contains(note, "-flink_rest") {
		t.Errorf("without an address: %q, %v; want a note", note, err)
	}
	if _, err := CheckCluster(t.Context(), Options{Runner: "direct", FlinkREST: "http://x:1"}); err == nil {
		t.Error("-flink_rest beside the direct runner is taken")
	}
}

// TestFlinkCancelsTheRunsJob and no other, if it has not ended.
func TestFlinkCancelsTheRunsJob(t *testing.T) {
	name := jobName("20261127T224421Z-3f9a01bc")
	if name != "runpipeline20261127t224421z3f9a01bc" {
		t.Errorf("the job is called %s; Beam changes other letters", name)
	}
	for _, c := range []struct {
		job, state string
		cancelled  int
		ok         bool
	}{
		{name + "-root-1127230602-f7d04bd6", "RUNNING", 1, true},
		{name, "RESTARTING", 1, true},
		{name + "-root-1127230602-f7d04bd6", "FINISHED", 0, true},
		{name + "0-root-1127230602-f7d04bd6", "RUNNING", 0, false},
	} {
		f := &fakeFlink{job: c.job, state: c.state}
		said, err := flink{f.serve(t) + "/"}.cancel(t.Context(), name)
		if (err == nil) != c.ok || len(f.cancelled) != c.cancelled || c.ok && strings.Contains(said, "job 39c8 was cancelled") != (c.cancelled > 0) {
			t.Errorf("%s, %s: cancelled %v (%q, %v), want %d", c.job, c.state, f.cancelled, said, err, c.cancelled)
		}
	}
}

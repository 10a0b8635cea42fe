package pool

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// A runner is the side of a runner that a worker connects to: it notes who came and holds him until the
// runner ends.
type runner struct {
	fnpb.UnimplementedBeamFnControlServer
	at   string
	came chan string // ids of workers that connected
	left chan string // and of those that were sent away or went
	end  chan struct{}
}

func (r *runner) Control(s fnpb.BeamFnControl_ControlServer) error {
	md, _ := metadata.FromIncomingContext(s.Context())
	id := strings.Join(md.Get("worker_id"), " ")
	r.came <- id
	defer func() { r.left <- id }()
	select {
	case <-r.end:
	case <-s.Context().Done():
	}
	return nil
}

func newRunner(t *testing.T) *runner {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{at: l.Addr().String(), came: make(chan string, 9), left: make(chan string, 9), end: make(chan struct{})}
	s := grpc.NewServer()
	fnpb.RegisterBeamFnControlServer(s, r)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return r
}

// serve runs a pool until the test ends and gives its address and what it said.
func serve(t *testing.T, start Starter, told func(string)) (at string, stop func()) {
	t.Helper()
	p, err := Listen("127.0.0.1:0", start, told)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx, time.Minute) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return p.Addr().String(), stop
}

// request asks a pool for a worker.
func request(t *testing.T, at, id string, r *runner) string {
	t.Helper()
	c, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	q := &fnpb.StartWorkerRequest{WorkerId: id}
	if r != nil {
		q.ControlEndpoint = &pipepb.ApiServiceDescriptor{Url: r.at}
		q.LoggingEndpoint = &pipepb.ApiServiceDescriptor{Url: r.at}
	}
	answer, err := fnpb.NewBeamFnExternalWorkerPoolClient(c).StartWorker(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetError()
}

func next(t *testing.T, c chan string, what string) string {
	t.Helper()
	select {
	case s := <-c:
		return s
	case <-time.After(time.Minute):
		t.Fatalf("nothing came: %s", what)
		return ""
	}
}

func silent(string) {}

// TestTwoRunnersShareAPool asks for workers of the same id for two runners, as two TaskManagers do: both have
// theirs, each ends with its runner, and the pool's end ends the rest.
func TestTwoRunnersShareAPool(t *testing.T) {
	one, two := newRunner(t), newRunner(t)
	at, stop := serve(t, Goroutines, silent)
	for _, r := range []*runner{one, two} {
		if problem := request(t, at, "1-1", r); problem != "" {
			t.Fatalf("the pool refuses: %s", problem)
		}
		if id := next(t, r.came, "a worker"); id != "1-1" {
			t.Errorf("worker %q came, want 1-1", id)
		}
	}
	close(one.end)
	next(t, one.left, "the end of the worker whose runner closed")
	select {
	case <-two.left:
		t.Error("the worker of the other runner ended with it")
	case <-time.After(50 * time.Millisecond):
	}
	stop()
	next(t, two.left, "the end of the worker whose pool ended")
}

// TestPoolsAnswerWhatIsWrong asks for a worker and names no runner.
func TestPoolsAnswerWhatIsWrong(t *testing.T) {
	at, _ := serve(t, Goroutines, silent)
	if problem := request(t, at, "1-1", nil); problem != "no control endpoint" {
		t.Errorf("without a runner: %q", problem)
	}
}

// TestDealersTakeTurns has workers dealt to two pools, then to the one that is left, and says which is not.
func TestDealersTakeTurns(t *testing.T) {
	var mu sync.Mutex
	var dealt, said []string
	counting := func(name string) Starter {
		return func(context.Context, *Pool, *fnpb.StartWorkerRequest) error {
			mu.Lock()
			defer mu.Unlock()
			dealt = append(dealt, name)
			return nil
		}
	}
	a, stopA := serve(t, counting("a"), silent)
	b, _ := serve(t, counting("b"), silent)
	at, _ := serve(t, Deal([]string{a, b}, func(line string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, line)
	}), silent)
	r := newRunner(t)
	for range 4 {
		request(t, at, "1-1", r)
	}
	stopA()
	for range 2 {
		if problem := request(t, at, "1-1", r); problem != "" {
			t.Errorf("with one pool down: %s", problem)
		}
	}
	if want := []string{"a", "b", "a", "b", "b", "b"}; !slices.Equal(dealt, want) {
		t.Errorf("dealt to %v, want %v", dealt, want)
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "pool "+a+" is passed over: ") {
		t.Errorf("of the pool that is down it says %q", said)
	}
}

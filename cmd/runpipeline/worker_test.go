package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// A control is the part of a runner that its workers connect to.
type control struct {
	fnpb.UnimplementedBeamFnControlServer
	came chan string
}

func (c control) Control(s fnpb.BeamFnControl_ControlServer) error {
	md, _ := metadata.FromIncomingContext(s.Context())
	c.came <- strings.Join(md.Get("worker_id"), " ")
	return nil
}

// TestARunnerStartsAWorker starts the command as Beam's containers do: it connects to the runner under the id that
// it was given, and says nothing of its own.
func TestARunnerStartsAWorker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	runner := control{came: make(chan string, 1)}
	s := grpc.NewServer()
	fnpb.RegisterBeamFnControlServer(s, runner)
	go s.Serve(l)
	defer s.Stop()

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	c := exec.Command(self, "--worker=true", "--id=worker-7", "--logging_endpoint="+at, "--control_endpoint="+at, "--semi_persist_dir="+t.TempDir())
	c.Env = append(os.Environ(), asCommand+"=1", "HOME="+t.TempDir())
	var stdout bytes.Buffer
	c.Stdout = &stdout
	stderr := startHeard(t, c)
	select {
	case id := <-runner.came:
		if id != "worker-7" {
			t.Errorf("worker %q came, want worker-7", id)
		}
	case <-time.After(time.Minute):
		t.Error("no worker came")
	}
	var said strings.Builder // by Beam; it waits for its container to end it
	for lines := bufio.NewScanner(stderr); !strings.Contains(said.String(), "exited successfully") && lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
	}
	c.Process.Kill()
	c.Wait()
	if all := said.String() + stdout.String(); !strings.Contains(all, "exited successfully") || strings.Contains(all, "runpipeline") {
		t.Errorf("it says %q and prints %q", &said, &stdout)
	}
}

// TestOnlyRunnersFlagsMakeAWorker gives a person's slips: they are answered as flags of run.
func TestOnlyRunnersFlagsMakeAWorker(t *testing.T) {
	for _, args := range [][]string{{"-worker=localhost:1"}, {"--worker", "localhost:1"}, {"run", "--worker=true", "--control_endpoint=localhost:1"}} {
		a := newApp(nil, new(bytes.Buffer), new(bytes.Buffer))
		if code := a.main(t.Context(), args); code != exitConfig {
			t.Errorf("%q exits with %d, want %d", args, code, exitConfig)
		}
	}
}

// TestAPoolPrintsItsAddress and nothing else, ends on SIGTERM with 0, and warns where others can reach it.
func TestAPoolPrintsItsAddress(t *testing.T) {
	for _, p := range []struct {
		listen, warning string
	}{{"127.0.0.1:0", ""}, {"0.0.0.0:0", "warning: -listen 0.0.0.0:0: a pool asks nobody who he is"}} {
		c := process(t, t.TempDir())
		c.Args = append(c.Args[:1], "worker", "-listen", p.listen)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		stdout, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		start(t, c, time.Minute)
		in := bufio.NewReader(stdout)
		line, err := in.ReadString('\n')
		if err != nil || !regexp.MustCompile(`^\S+:[1-9][0-9]*\n$`).MatchString(line) {
			t.Errorf("a pool on %s prints %q (%v), want its address", p.listen, line, err)
		}
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if rest, _ := in.ReadString('\n'); rest != "" {
			t.Errorf("it also prints %q", rest)
		}
		if err := c.Wait(); err != nil {
			t.Errorf("a pool that was told to end: %v\n%s", err, &stderr)
		}
		if warned := strings.Contains(stderr.String(), "warning: "); warned != (p.warning != "") || !strings.Contains(stderr.String(), p.warning) {
			t.Errorf("a pool on %s says %q, want %q", p.listen, &stderr, p.warning)
		}
	}
}

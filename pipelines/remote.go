package pipelines

import (
	"flag"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/persona-transfer/runpipeline/cache"
)

// external tells flags of a runner whose workers come from a pool that somebody started.
func external(flags map[string]string) bool {
	return strings.EqualFold(flags["environment_type"], "external")
}

// WorkersIn gives the flags with which Beam takes its workers from the pool at an address.
func WorkersIn(address string) map[string]string {
	return map[string]string{"environment_type": "EXTERNAL", "environment_config": address}
}

// CheckStore reports a store that the workers of a runner cannot reach, before anything is submitted: a
// worker that finds an empty folder in its place computes everything into it, and nobody finds that.
func CheckStore(o Options) (problems Problems) {
	if inProcess(o.Runner) || !local(o.Cache) || o.Runner != "dataflow" && onThisMachine(o.Beam) {
		return nil
	}
	where := "on other machines"
	if o.Runner != "dataflow" {
		where = fmt.Sprintf("of job service %s, which may be on other machines", o.Beam["endpoint"])
		if external(o.Beam) {
			where = fmt.Sprintf("of pool %s and job service %s, which are not both on this machine", o.Beam["environment_config"], o.Beam["endpoint"])
		}
	}
	text := fmt.Sprintf("-cache %s: a store of this machine, and -runner %s has its workers %s; give a bucket that they reach too: s3://BUCKET, gs://BUCKET or azblob://CONTAINER", o.Cache, o.Runner, where)
	if o.Runner != "dataflow" {
		text += ". A folder will do where -endpoint and -workers are loopback addresses"
	}
	return Problems{text}
}

// local tells a store that other machines do not see.
func local(location string) bool {
	switch cache.Scheme(location) {
	case "", "file", "mem":
		return true
	}
	return false
}

// onThisMachine tells workers that share this machine's files: those of this process, and those of a job
// service and a pool at loopback addresses.
func onThisMachine(flags map[string]string) bool {
	switch strings.ToLower(flags["environment_type"]) {
	case "loopback":
		return true
	case "external":
		return loopback(flags["environment_config"]) && loopback(flags["endpoint"])
	case "process":
		return loopback(flags["endpoint"])
	}
	return false // a container has files of its own
}

// loopback tells an address, host:port, at which only this machine answers.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// setFlags gives Beam its flags. forget must be called when the job has ended.
func setFlags(o Options, run string) (forget func(), err error) {
	forget = func() {}
	if inProcess(o.Runner) {
		return forget, nil
	}
	for name, value := range o.Beam {
		if err := flag.Set(name, value); err != nil {
			return forget, Problems{fmt.Sprintf("-beam %s=%s: %v", name, value, err)}
		}
	}
	if o.Beam["job_name"] == "" {
		if err := flag.Set("job_name", jobName(run)); err != nil {
			return forget, err
		}
	}
	if external(o.Beam) && o.Beam["worker_binary"] == "" {
		// Beam stages a program with every job, and compiles one if it is given none. Workers of a pool
		// have theirs; an empty file is staged in its place.
		f, err := os.CreateTemp("", "runpipeline-no-binary-*")
		if err != nil {
			return forget, err
		}
		forget = func() {
			os.Remove(f.Name())
			_ = flag.Set("worker_binary", "")
		}
		if err := f.Close(); err != nil {
			return forget, err
		}
		if err := flag.Set("worker_binary", f.Name()); err != nil {
			return forget, err
		}
	}
	return forget, nil
}

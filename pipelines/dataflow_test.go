package pipelines

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	df "google.golang.org/api/dataflow/v1b3"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/persona-transfer/runpipeline/cache"
)

const dataflowStore = "gs://marker-of-the-store/folder"

func init() {
	store := cache.NewMemory()
	cache.Register("gs", func(context.Context, string) (cache.Store, error) { return store, nil })
}

// dryRunOf builds the job of the whole experiment for Dataflow, without a network.
func dryRunOf(t *testing.T, s settings, flags map[string]string) *NotSubmitted {
	t.Helper()
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
	flags = DataflowFlags(flags)
	if problems := CheckRunner("dataflow", flags); len(problems) > 0 {
		t.Fatal(problems)
	}
	o := Options{Cache: dataflowStore, Runner: "dataflow", Beam: flags}
	if problems := CheckStore(o); len(problems) > 0 {
		t.Fatal(problems)
	}
	_, err := s.experiment(t).Run(t.Context(), o)
	var dry *NotSubmitted
	if !errors.As(err, &dry) {
		t.Fatalf("a dry run ends with %v", err)
	}
	return dry
}

func dataflowFlags() map[string]string {
	return map[string]string{"dry_run": "true", "project": "a-project", "region": "europe-west4", "staging_location": "gs://staging/folder",
		"machine_type": "g2-standard-8", "sdk_container_image": "europe-docker.pkg.dev/a-project/images/runpipeline:1", "max_num_workers": "40",
		"dataflow_service_options": "worker_accelerator=type:nvidia-l4;count:1;install-nvidia-driver"}
}

// pipeline reads what a dry run tells of the pipeline.
func pipeline(t *testing.T, dry *NotSubmitted) *pipepb.Pipeline {
	t.Helper()
	p := new(pipepb.Pipeline)
	if err := prototext.Unmarshal([]byte(dry.Pipeline), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestDataflowGetsAValidJob reads the job as Dataflow's own library knows it, and looks at what a GPU worker needs.
func TestDataflowGetsAValidJob(t *testing.T) {
	var names []string
	for range 2 {
		dry := dryRunOf(t, small(), dataflowFlags())
		var job df.Job
		d := json.NewDecoder(strings.NewReader(dry.Job))
		d.DisallowUnknownFields()
		if err := d.Decode(&job); err != nil {
			t.Fatalf("%v\n%s", err, dry.Job)
		}
		names = append(names, job.Name)
		if job.Type != "JOB_TYPE_BATCH" || job.ProjectId != "a-project" || !slices.Equal(job.Environment.ServiceOptions, []string{"worker_accelerator=type:nvidia-l4;count:1;install-nvidia-driver"}) {
			t.Errorf("type %s, project %s, service options %q", job.Type, job.ProjectId, job.Environment.ServiceOptions)
		}
		if len(job.Environment.WorkerPools) != 1 {
			t.Fatalf("%d pools of workers", len(job.Environment.WorkerPools))
		}
		w := job.Environment.WorkerPools[0]
		if w.MachineType != "g2-standard-8" || w.NumThreadsPerWorker != 1 || w.AutoscalingSettings.MaxNumWorkers != 40 {
			t.Errorf("machine %s, %d threads, at most %d", w.MachineType, w.NumThreadsPerWorker, w.AutoscalingSettings.MaxNumWorkers)
		}
		if len(w.SdkHarnessContainerImages) != 1 || w.SdkHarnessContainerImages[0].ContainerImage != dataflowFlags()["sdk_container_image"] {
			t.Errorf("images %+v", w.SdkHarnessContainerImages)
		}
		if len(w.Packages) != 1 || !strings.HasPrefix(w.Packages[0].Location, "gs://staging/folder/") || !strings.HasPrefix(job.Environment.TempStoragePrefix, "gs://staging/folder") {
			t.Errorf("packages %+v, temporary files in %s", w.Packages, job.Environment.TempStoragePrefix)
		}
		units := 0
		for _, tr := range pipeline(t, dry).GetComponents().GetTransforms() {
			if strings.Contains(tr.GetUniqueName(), "unitFn") {
				units++
			}
		}
		for id, c := range pipeline(t, dry).GetComponents().GetCoders() {
			if c.GetSpec().GetUrn() == "beam:coder:row:v1" {
				t.Errorf("coder %s writes rows", id)
			}
		}
		if units < 10 {
			t.Errorf("the pipeline computes units of %d stages", units)
		}
	}
	valid := regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])$`)
	if names[0] == names[1] || !valid.MatchString(names[0]) {
		t.Errorf("two jobs are called %q", names)
	}
	total, err := cache.Size(t.Context(), mustOpenStore(t))
	if err != nil || total != (cache.Totals{}) {
		t.Errorf("dry runs left %+v in the store, %v", total, err)
	}
}

func mustOpenStore(t *testing.T) cache.Store {
	t.Helper()
	s, err := cache.Open(t.Context(), dataflowStore)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDataflowJobsTellNoSecrets looks through everything that would be sent, and through what is packed inside it, for
// keys that this process has and for its folders and names.
func TestDataflowJobsTellNoSecrets(t *testing.T) {
	s := everything()
	s["use_gpt4"], s["judge"] = true, settings{"key_env": "MY_JUDGE_KEY"}
	secrets := map[string]string{}
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "MY_JUDGE_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "USER", "LOGNAME", "HOSTNAME"} {
		secrets[name] = "marker-of-" + strings.ToLower(name)
		t.Setenv(name, secrets[name])
	}
	flags := dataflowFlags()
	flags["worker_binary"] = filepath.Join(t.TempDir(), "worker")
	if err := os.WriteFile(flags["worker_binary"], nil, 0o755); err != nil {
		t.Fatal(err)
	}
	dry := dryRunOf(t, s, flags)
	sent, err := proto.Marshal(pipeline(t, dry))
	if err != nil {
		t.Fatal(err)
	}
	everything := unpacked(dry.Job+"\n"+string(sent), 3)
	if !strings.Contains(everything, dataflowStore) || !strings.Contains(everything, "europe-west4") {
		t.Fatal("what is packed inside the job was not seen: it has to name the store")
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable() // the workers' program of a job before; Beam remembers the first
	if err != nil {
		t.Fatal(err)
	}
	secrets["this program"], secrets["the worker's program"], secrets["the temporary folder"] = self, flags["worker_binary"], filepath.Dir(flags["worker_binary"])
	secrets["this folder"], secrets["the home folder"], secrets["the host"] = here, home, host
	for what, text := range secrets {
		if len(text) > 3 && strings.Contains(everything, text) {
			i := strings.Index(everything, text)
			t.Errorf("the job holds %s: …%.200q", what, everything[max(0, i-100):])
		}
	}
}

var packed = regexp.MustCompile(`[A-Za-z0-9+/_-]{24,}`)

// unpacked is a text followed by whatever in it, and inside that, is written in base 64. Where such a word begins
// nobody knows, so all four ways of reading it are tried.
func unpacked(text string, deep int) string {
	all := []string{text}
	for _, word := range packed.FindAllString(text, -1) {
		word = strings.NewReplacer("-", "+", "_", "/").Replace(word)
		for skip := range 4 {
			part := word[skip:]
			inner, err := base64.RawStdEncoding.DecodeString(part[:len(part)/4*4])
			if err == nil && deep > 0 {
				all = append(all, unpacked(string(inner), deep-1))
			}
		}
	}
	return strings.Join(all, "\n")
}

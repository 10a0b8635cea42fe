package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeSleep makes waiting take no time and notes how long it would have taken.
func fakeSleep(t *testing.T) *[]time.Duration {
	t.Helper()
	var waits []time.Duration
	oldSleep, oldBackoff := sleep, backoff
	sleep = func(ctx context.Context, d time.Duration) error { waits = append(waits, d); return ctx.Err() }
	backoff = time.Second
	t.Cleanup(func() { sleep, backoff = oldSleep, oldBackoff })
	return &waits
}

// TestBusyHubIsAskedAgain answers the question for a revision's files a few times with a status, then well.
func TestBusyHubIsAskedAgain(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		status  int
		after   string
		answers int // before the good one
		waits   []time.Duration
		want    string // of the error; "": it opens
	}{
		{503, "", 2, []time.Duration{s, 2 * s}, ""},
		{429, "", 3, []time.Duration{s, 2 * s, 3 * s}, ""},
		{429, "7", 1, []time.Duration{7 * s}, ""},
		{502, "0", 1, []time.Duration{s}, ""},
		{503, "Mon, 02 Jan 2006 15:04:05 GMT", 1, []time.Duration{s}, ""},
		{503, "-5", 1, []time.Duration{s}, ""},
		{429, "61", 1, nil, "answers 429"},
		{429, "9999999999999999999999", 1, []time.Duration{s}, ""},
		{500, "", 4, []time.Duration{s, 2 * s, 3 * s}, "answers 500"},
		{404, "", 1, nil, "no such model"},
		{400, "", 1, nil, "answers 400"},
	} {
		f := newFakeHub(t, model(t))
		waits := fakeSleep(t)
		good, left := f.hub.Config.Handler, c.answers
		f.hub.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if left--; left >= 0 {
				w.Header().Set("Retry-After", c.after)
				w.WriteHeader(c.status)
				return
			}
			good.ServeHTTP(w, r)
		})
		opts := f.options()
		opts.MetadataOnly = true
		m, err := Open(t.Context(), testID, opts)
		if err == nil {
			m.Close()
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d, %q, %d times: %v, want %q", c.status, c.after, c.answers, err, c.want)
		}
		if !slices.Equal(*waits, c.waits) {
			t.Errorf("%d, %q, %d times: waits %v, want %v", c.status, c.after, c.answers, *waits, c.waits)
		}
	}
}

// TestWaitingEndsWithItsContext ends the context while a busy hub is waited for.
func TestWaitingEndsWithItsContext(t *testing.T) {
	f := newFakeHub(t, model(t))
	f.broken = true
	backoff = time.Hour
	ctx, cancel := contextThatEnds(t)
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := Open(ctx, testID, f.options()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// stuckHub sends the beginning of an answer, then nothing until the client goes away.
func stuckHub(t *testing.T, asked *int) *httptest.Server {
	t.Helper()
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked++
		fmt.Fprint(w, `{"sha":"`+testCommit+`","siblings":[`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(hub.Close)
	return hub
}

// TestListOfFilesThatNeverEnds asks a hub that stops in the middle of its answer: the question is
// asked again and then given up, and an ended context is heard at once.
func TestListOfFilesThatNeverEnds(t *testing.T) {
	newFakeHub(t, nil) // for the environment
	waits := fakeSleep(t)
	old := metadataTime
	defer func() { metadataTime = old }()
	metadataTime = 50 * time.Millisecond
	asked := 0
	hub := stuckHub(t, &asked)
	_, err := Open(t.Context(), testID, Options{Endpoint: hub.URL})
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "did not arrive within 50ms") || asked != tries || len(*waits) != tries-1 {
		t.Errorf("%v after %d questions", err, asked)
	}
	metadataTime = time.Hour
	ctx, cancel := contextThatEnds(t)
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := Open(ctx, testID, Options{Endpoint: hub.URL}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestListOfFilesWithoutEnd is one that never stops coming.
func TestListOfFilesWithoutEnd(t *testing.T) {
	newFakeHub(t, nil)
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"siblings":[`)
		entry := []byte(strings.Repeat(`{"rfilename":"x"},`, 1000))
		for r.Context().Err() == nil {
			w.Write(entry)
		}
	}))
	defer hub.Close()
	within(t, "a list without end", 200, func() {
		_, err := Open(t.Context(), testID, Options{Endpoint: hub.URL})
		checkRefusal(t, "a list without end", err, "more than 16777216 bytes")
	})
}

// TestDownloadThatStandsStill begins to send a shard and stops, each time.
func TestDownloadThatStandsStill(t *testing.T) {
	f := newFakeHub(t, model(t))
	waits := fakeSleep(t)
	old := stall
	defer func() { stall = old }()
	stall = 50 * time.Millisecond
	good := f.store.Config.Handler
	f.store.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			good.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Length", "5000")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	_, err := Open(t.Context(), testID, f.options())
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "download model-00001-of-00002.safetensors") || !strings.Contains(err.Error(), "nothing arrived") {
		t.Errorf("%v", err)
	}
	if len(*waits) != tries-1 {
		t.Errorf("waits %v", *waits)
	}
}

// TestSmallFilesAreNotDownloadedWithoutEnd announces a tokenizer of a terabyte, then one without a size.
func TestSmallFilesAreNotDownloadedWithoutEnd(t *testing.T) {
	for _, size := range []string{"1099511627776", ""} {
		f := newFakeHub(t, model(t))
		good := f.hub.Config.Handler
		f.hub.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "tokenizer.json") {
				good.ServeHTTP(w, r)
				return
			}
			w.Header().Set("ETag", `"`+testCommit+`"`)
			w.Header().Set("X-Linked-Size", size)
			if r.Method == http.MethodHead {
				return
			}
			part := make([]byte, 1<<20)
			for r.Context().Err() == nil {
				w.Write(part)
			}
		})
		_, err := Open(t.Context(), testID, f.options())
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "at most 67108864 are read") {
			t.Errorf("size %q: %v", size, err)
		}
	}
}

// TestNoSecretIsShown asks hubs whose address holds secrets, and hubs that send back what they were sent.
func TestNoSecretIsShown(t *testing.T) {
	const password, query = "pass-Word%21", "token=querySecret"
	newFakeHub(t, nil)
	backoff = 0
	secrets := []string{"pass-Word", "querySecret", testToken, "alice"}
	echo := func(w http.ResponseWriter, header string) { w.Header().Set(header, testToken) }
	for what, answer := range map[string]http.HandlerFunc{
		"refuses":         func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"does not know":   func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"is busy":         func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"says nothing":    func(w http.ResponseWriter, r *http.Request) {},
		"names no commit": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"sha":""}`) },
		"redirects to nowhere": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://[::1?Signature="+testToken)
			w.WriteHeader(http.StatusFound)
		},
		"redirects with a secret": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/?Signature="+testToken, http.StatusFound)
		},
		"closes the connection": func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
		"is no web server": func(w http.ResponseWriter, r *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			fmt.Fprintf(conn, "HTTP/x %s\r\n\r\n", r.Header.Get("Authorization"))
			conn.Close()
		},
		"echoes as commit": func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/api/") {
				fmt.Fprintf(w, `{"sha":%q,"siblings":[{"rfilename":"config.json"}]}`, testCommit)
				return
			}
			echo(w, "X-Repo-Commit")
			echo(w, "ETag")
		},
		"echoes as checksum": func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/api/") {
				fmt.Fprintf(w, `{"sha":%q,"siblings":[{"rfilename":"config.json"}]}`, testToken)
				return
			}
			echo(w, "ETag")
			fmt.Fprint(w, "short")
		},
		"echoes as a file": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"sha":%q,"siblings":[{"rfilename":"pytorch_model-%s"}]}`, testCommit, testToken)
		},
	} {
		hub := httptest.NewServer(answer)
		host := strings.TrimPrefix(hub.URL, "http://")
		for _, endpoint := range []string{"http://alice:" + password + "@" + host, "http://" + host + "?" + query, "http://alice:" + password + "@" + host + "/x?" + query} {
			_, err := Open(t.Context(), testID, Options{Endpoint: endpoint, Token: testToken})
			showsNone(t, what, err, secrets)
		}
		hub.Close()
	}
	newFakeHub(t, nil) // whose cache has no commit that a hub above called by the secret's name
	for _, endpoint := range []string{
		"http://alice:" + password + "@127.0.0.1:1", "http://alice:" + password + "@nowhere.invalid", "http://alice:pass-Word x@host", "alice:pass-Word@host",
		"http://alice:pass-Word?@host", "http://alice:pass-Word#@host", "ftp://alice:pass-Word@host", "http://alice:pass-Word@host:port", "http://host:pass-Word", "http://\x7falice:pass-Word@host",
	} {
		_, err := Open(t.Context(), testID, Options{Endpoint: endpoint})
		if endpoint == "http://host:pass-Word" { // a port, as far as anybody can tell
			continue
		}
		showsNone(t, endpoint, err, secrets)
	}
}

func showsNone(t *testing.T, what string, err error, secrets []string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: accepted", what)
		return
	}
	for ; err != nil; err = errors.Unwrap(err) { // whoever prints a cause shows none either
		for _, s := range secrets {
			if strings.Contains(err.Error(), s) {
				t.Errorf("%s: %q shows %q", what, err, s)
			}
		}
	}
}

// FuzzHubAnswers gives a hub any answer to each of the two questions that are asked of it.
func FuzzHubAnswers(f *testing.F) {
	f.Add([]byte(`{"sha":"`+testCommit+`","siblings":[{"rfilename":"config.json"}]}`), 200, "", "", `"`+testCommit+`"`, "5", testCommit)
	f.Add([]byte(`{"sha":"../..","siblings":[{"rfilename":"../../x"}]}`), 302, "/other", "", "../x", "-1", "")
	f.Add([]byte(`{"sha":"main","siblings":null}`), 302, "http://elsewhere/x?Signature=s", "10", `W/"x"`, "99999999999999999999", "x")
	f.Add([]byte(`[`), 429, "http://[::1?x", "Mon, 02 Jan 2006 15:04:05 GMT", "", "", "")
	f.Add([]byte(`{"SHA":"`+testCommit+`","sha":null,"siblings":[{}]} x`), 503, "", "99999999999", "\x00", "1e9", "")
	f.Fuzz(func(t *testing.T, list []byte, status int, location, after, etag, size, commit string) {
		h := &hub{id: "o/n", revision: "main", shown: "http://hub", token: testToken}
		if info, err := h.parseInfo(list); err == nil {
			if !cacheName.MatchString(info.SHA) || len(info.names) != len(info.Siblings) {
				t.Fatalf("%+v", info)
			}
		} else if !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		resp := &http.Response{StatusCode: status, Header: http.Header{}}
		for name, value := range map[string]string{"Location": location, "Retry-After": after, "X-Linked-Etag": etag, "X-Linked-Size": size, "X-Repo-Commit": commit} {
			resp.Header.Set(name, value)
		}
		if d := retryAfter(after, time.Unix(0, 0)); d < 0 {
			t.Fatalf("Retry-After %q waits %v", after, d)
		}
		file := &remoteFile{name: "config.json", most: mostOf("config.json")}
		if err := file.announced(resp, etag, h.shown, testCommit); err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
		} else if !cacheName.MatchString(file.etag) || strings.ContainsAny(file.etag, `/\`) || file.size > maxText {
			t.Fatalf("%+v", file)
		}
		if err := h.hide(h.refusal(resp)); !errors.Is(err, ErrNotFound) || strings.Contains(err.Error(), testToken) {
			t.Fatal(err)
		}
		// An address shows nothing that stands before an @ or behind a ?.
		if shown := publicPart("http://" + location); strings.ContainsAny(strings.TrimPrefix(shown, "http://"), "@?#") {
			t.Fatalf("%q is shown as %q", location, shown)
		}
	})
}

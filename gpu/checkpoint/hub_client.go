package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answerTime is how long the hub may take to be connected to, and then to begin an answer:
// what huggingface_hub allows. Without a network that says so at once, every run waits for
// it before it turns to the cache.
const answerTime = 10 * time.Second

// newClient returns a client that sends the token to the hub only: a redirect to another
// host, where big files lie, loses it.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: answerTime}).DialContext
	transport.ResponseHeaderTimeout = answerTime
	transport.MaxResponseHeaderBytes = 1 << 20
	return &http.Client{
		Transport: transport,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= 10 {
				return errors.New("too many redirects")
			}
			if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
				req.Header.Del("Authorization")
			}
			return nil
		},
	}
}

// request prepares a request to the hub.
func (h *hub) request(ctx context.Context, method, address string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil || req.URL.Host == "" || req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return nil, fmt.Errorf("%s is not a hub's address", h.shown)
	}
	req.Header.Set("User-Agent", "persona-transfer")
	req.Header.Set("Accept-Encoding", "identity") // sizes must be those of the files
	if h.token != "" {
		req.Header.Set("Authorization", "Bearer "+h.token)
	}
	return req, nil
}

// errNetwork marks what net/http reports: a cut connection, an unknown host.
var errNetwork = errors.New("cannot be reached")

// plain removes from an error what net/http adds: addresses of big files carry signatures.
func (h *hub) plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if strings.Contains(err.Error(), "Location header") { // it is quoted in full
		err = errors.New("a redirect to no address")
	}
	return fmt.Errorf("%s %w: %w: %w", h.shown, errNetwork, err, ErrNotFound)
}

// repoInfo is what the hub says about a revision.
type repoInfo struct {
	SHA      string `json:"sha"`
	Siblings []struct {
		Name string `json:"rfilename"`
	} `json:"siblings"`
	names []string
}

func (r *repoInfo) has(name string) bool { return slices.Contains(r.names, name) }

// metadataTime is how long the list of a revision's files may take to arrive. Tests change it.
var metadataTime = 60 * time.Second

// info asks for the revision's commit and files.
func (h *hub) info(ctx context.Context) (info *repoInfo, err error) {
	// A hub that cannot be reached is not asked again: there may be no network, and the cache can
	// answer at once.
	err = again(ctx, h.busy, func() error { info, err = h.askInfo(ctx); return err })
	return info, err
}

// errCut reports an answer that broke off.
var errCut = errors.New("the answer broke off")

// busy reports whether a later request may get another answer.
func (h *hub) busy(err error) bool {
	var status *statusError
	return errors.Is(err, errCut) || errors.As(err, &status) && status.passing()
}

func (h *hub) askInfo(ctx context.Context) (*repoInfo, error) {
	req, err := h.request(ctx, http.MethodGet, h.endpoint+"/api/models/"+h.id+"/revision/"+url.PathEscape(h.revision))
	if err != nil {
		return nil, err
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, h.plain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, h.refusal(resp)
	}
	// Closing the body ends a read that would wait for ever.
	watch := time.AfterFunc(metadataTime, func() { resp.Body.Close() })
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxInfo+1))
	inTime := watch.Stop()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && !inTime:
		return nil, h.plain(fmt.Errorf("what it says about %s did not arrive within %v: %w", h.id, metadataTime, errCut))
	case err != nil:
		return nil, h.plain(fmt.Errorf("%w: %w", errCut, err))
	case len(raw) > maxInfo:
		return nil, fmt.Errorf("%s: more than %d bytes about %s: %w", h.shown, maxInfo, h.id, ErrFormat)
	}
	return h.parseInfo(raw)
}

// maxInfo bounds what the hub says about a revision; the longest lists have some 10000 files.
const maxInfo = 16 << 20

// parseInfo reads what the hub says about a revision.
func (h *hub) parseInfo(raw []byte) (*repoInfo, error) {
	info := &repoInfo{}
	if err := json.Unmarshal(raw, info); err != nil {
		return nil, fmt.Errorf("%s: what it says about %s is not JSON: %w", h.shown, h.id, ErrFormat)
	}
	if !cacheName.MatchString(info.SHA) {
		return nil, fmt.Errorf("%s: what it says about %s names no commit: %w", h.shown, h.id, ErrFormat)
	}
	for _, s := range info.Siblings {
		info.names = append(info.names, s.Name)
	}
	return info, nil
}

// refusal says what an answer other than success means.
func (h *hub) refusal(resp *http.Response) error {
	code := resp.Header.Get("X-Error-Code")
	page := h.shown + "/" + h.id
	switch status := resp.StatusCode; {
	case code == "GatedRepo" || status == http.StatusForbidden:
		if h.token == "" {
			return fmt.Errorf("gated: accept its terms at %s and set HF_TOKEN: %w", page, ErrNotFound)
		}
		return fmt.Errorf("gated: the token gives no access; ask for it at %s: %w", page, ErrNotFound)
	case code == "RevisionNotFound":
		return fmt.Errorf("no revision %q at %s: %w", h.revision, page, ErrNotFound)
	case code == "EntryNotFound":
		return fmt.Errorf("no such file at %s: %w", page, ErrNotFound)
	case status == http.StatusUnauthorized && h.token == "":
		return fmt.Errorf("no such model at %s, or a private one that needs HF_TOKEN: %w", h.shown, ErrNotFound)
	case status == http.StatusUnauthorized:
		return fmt.Errorf("no such model at %s, or the token is not valid for it: %w", h.shown, ErrNotFound)
	case status == http.StatusNotFound:
		return fmt.Errorf("no such model at %s: %w", h.shown, ErrNotFound)
	default:
		return &statusError{status: status, text: fmt.Sprintf("%s answers %d %s", h.shown, status, http.StatusText(status)),
			after: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	}
}

// A statusError is an answer that may be different later.
type statusError struct {
	status int
	text   string
	after  time.Duration // how long the hub asks to wait; 0: it does not say
}

func (e *statusError) Error() string        { return e.text + ": " + ErrNotFound.Error() }
func (e *statusError) Is(target error) bool { return target == ErrNotFound }

// passing tells whether trying again may help.
func (e *statusError) passing() bool {
	return e.status >= 500 || e.status == http.StatusTooManyRequests || e.status == http.StatusRequestTimeout
}

// A remoteFile is a file as the hub announces it.
type remoteFile struct {
	name    string
	address string
	etag    string // names the content: a checksum, or at some mirrors any text
	size    int64  // -1 if the hub does not say
	most    int64  // bytes that are downloaded at all
}

// mostOf is how many bytes of a file are downloaded at most: what is read as a whole is small.
func mostOf(name string) int64 {
	if path.Ext(name) == ".safetensors" {
		return math.MaxInt64
	}
	return maxText
}

// head asks for checksum and size of a file. Big files are announced by a redirect to
// where they lie, with the headers X-Linked-Etag and X-Linked-Size; redirects within the
// hub, to a model's new name, are followed.
func (h *hub) head(ctx context.Context, commit, name string) (*remoteFile, error) {
	f := &remoteFile{name: name, most: mostOf(name), address: h.endpoint + "/" + h.id + "/resolve/" + commit + "/" + url.PathEscape(name)}
	client := *h.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	address := f.address
	for range 5 {
		req, err := h.request(ctx, http.MethodHead, address)
		if err != nil {
			return nil, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, h.plain(err)
		}
		resp.Body.Close()
		if resp.StatusCode >= 400 {
			return nil, h.refusal(resp)
		}
		linked := resp.Header.Get("X-Linked-Etag")
		if target, err := resp.Location(); err == nil && linked == "" && target.Host == req.URL.Host && target.Scheme == req.URL.Scheme {
			address = target.String()
			continue
		}
		return f, f.announced(resp, linked, h.shown, commit)
	}
	return nil, fmt.Errorf("%s: %s is redirected too often: %w", h.shown, name, ErrFormat)
}

// announced takes checksum and size from the headers of an answer.
func (f *remoteFile) announced(resp *http.Response, linked, endpoint, commit string) error {
	f.etag = strings.Trim(strings.TrimPrefix(first(linked, resp.Header.Get("ETag")), "W/"), `"`)
	if !cacheName.MatchString(f.etag) {
		return fmt.Errorf("%s gives no checksum for %s: %w", endpoint, f.name, ErrFormat)
	}
	if got := resp.Header.Get("X-Repo-Commit"); got != "" && got != commit {
		return fmt.Errorf("%s answers with commit %.100q for %s: %w", endpoint, got, commit, ErrFormat)
	}
	f.size = -1
	size := resp.Header.Get("X-Linked-Size")
	if size == "" && resp.StatusCode == http.StatusOK {
		size = resp.Header.Get("Content-Length")
	}
	if n, err := strconv.ParseInt(size, 10, 64); err == nil && n >= 0 {
		f.size = n
	}
	if f.size > f.most {
		return tooLarge(f.name, f.size)
	}
	if f.size < 0 && !checksum.MatchString(f.etag) {
		return fmt.Errorf("%s gives neither checksum nor size for %s: %w", endpoint, f.name, ErrFormat)
	}
	return nil
}

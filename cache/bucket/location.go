package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"cloud.google.com/go/storage"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/blob/memblob"
	_ "gocloud.dev/blob/s3blob" // s3://
	"gocloud.dev/gcp"
)

// parameters are, for each scheme, what may stand behind the question mark of a location. None of them is a
// credential; profile names a section of the user's own file.
var parameters = map[string][]string{
	"s3": {"region", "endpoint", "profile", "use_path_style", "disable_https", "anonymous", "ssetype", "kmskeyid", "accelerate",
		"dualstack", "fips", "request_checksum_calculation", "rate_limiter_capacity"},
	"gs":     {"anonymous"},
	"azblob": {"storage_account", "domain", "protocol", "cdn", "localemu"},
	"mem":    {},
}

const credentials = "credentials come from the provider's own places (environment, profile, the machine's role) and may not stand in a location"

// A place is a location taken apart.
type place struct {
	scheme, bucket, prefix string
	query                  url.Values
}

// parse takes a location apart and refuses what a store cannot have. Its errors repeat nothing that may be
// a secret: not what stands before an @, nor any value, nor an unknown name.
func parse(location string) (place, error) {
	u, err := url.Parse(location)
	if err != nil {
		return place{}, errors.New("it is not written like SCHEME://BUCKET/FOLDER?NAME=VALUE; " + credentials)
	}
	query, err := url.ParseQuery(u.RawQuery)
	switch {
	case u.User != nil:
		return place{}, errors.New("there is a user before the bucket's name; " + credentials)
	case u.Host == "" || u.Port() != "" || u.Fragment != "" || u.Opaque != "":
		return place{}, errors.New("it is not written like SCHEME://BUCKET/FOLDER?NAME=VALUE")
	case err != nil:
		return place{}, errors.New("what follows the question mark is not written like NAME=VALUE&NAME=VALUE")
	}
	p := place{scheme: u.Scheme, bucket: u.Host, query: query}
	allowed := parameters[u.Scheme]
	for name, values := range query {
		if !slices.Contains(allowed, name) {
			return place{}, fmt.Errorf("after the question mark there may be %s; %s", cmp.Or(strings.Join(allowed, ", "), "nothing"), credentials)
		}
		if len(values) > 1 {
			return place{}, fmt.Errorf("%s is given twice", name)
		}
	}
	if endpoint := query.Get("endpoint"); endpoint != "" {
		e, err := url.Parse(endpoint)
		if err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" || e.User != nil || e.RawQuery != "" || e.Fragment != "" {
			return place{}, errors.New("endpoint: want https://HOST[:PORT] and nothing more; " + credentials)
		}
	}
	if folder := strings.Trim(u.Path, "/"); folder != "" {
		for word := range strings.SplitSeq(folder, "/") {
			if word == "" || word == "." || word == ".." || strings.ContainsFunc(word, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }) {
				return place{}, errors.New("the folder in the bucket has an empty, dotted or odd part")
			}
		}
		p.prefix = folder + "/"
	}
	return p, nil
}

func (p place) open(ctx context.Context) (*blob.Bucket, error) {
	switch p.scheme {
	case "mem":
		return memory(p.bucket), nil
	case "gs":
		return p.openGoogle(ctx)
	case "s3":
		// A server at an address of its own has no name for each bucket. What is read is checked against
		// digests here: if the library did so as well, damage would look like a broken connection.
		if p.query.Has("endpoint") && !p.query.Has("use_path_style") {
			p.query.Set("use_path_style", "true")
		}
		p.query.Set("response_checksum_validation", "when_required")
	}
	u := url.URL{Scheme: p.scheme, Host: p.bucket, RawQuery: p.query.Encode()}
	return blob.OpenBucket(ctx, u.String())
}

// openGoogle does what gcsblob does with a location, except that credentials which cannot be had are an error
// at once and not a line on standard output.
func (p place) openGoogle(ctx context.Context) (*blob.Bucket, error) {
	client := gcp.NewAnonymousHTTPClient(gcp.DefaultTransport())
	if p.query.Get("anonymous") != "true" && os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		c, err := gcp.DefaultCredentials(ctx)
		if err != nil {
			return nil, err
		}
		if client, err = gcp.NewHTTPClient(gcp.DefaultTransport(), gcp.CredentialsTokenSource(c)); err != nil {
			return nil, err
		}
	}
	b, err := gcsblob.OpenBucket(ctx, client, p.bucket, nil)
	if err != nil {
		return nil, err
	}
	var c *storage.Client
	if b.As(&c) { // it would try for ever
		c.SetRetry(storage.WithMaxAttempts(googleAttempts))
	}
	return b, nil
}

// googleAttempts is how often a request to Google is tried, with pauses of up to 1, 2 and 4 seconds between.
const googleAttempts = 4

var (
	memoryMu sync.Mutex
	memories = map[string]*blob.Bucket{}
)

// memory gives the bucket of that name in this process's memory: the same one each time, since the units of a
// pipeline open their store by its location.
func memory(name string) *blob.Bucket {
	memoryMu.Lock()
	defer memoryMu.Unlock()
	if memories[name] == nil {
		memories[name] = memblob.OpenBucket(nil)
	}
	return memories[name]
}

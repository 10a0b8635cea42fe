package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"
)

// failed is the error of a request about the object of that name.
func (s *store) failed(ctx context.Context, name string, err error) error {
	return fmt.Errorf("%s: %w", s.at(name), short(ctx, err))
}

// absent reports the error of a request for an object that is not there. gocloud.dev says so as well of
// a bucket that is not there, of a host that cannot be found and, for Google, of what is forbidden: a
// store that cannot be reached must not look empty.
func absent(err error) bool {
	var network net.Error
	var google *googleapi.Error
	var coded interface{ ErrorCode() string }
	return gcerrors.Code(err) == gcerrors.NotFound && !errors.As(err, &network) &&
		!(errors.As(err, &google) && google.Code != 404) &&
		!(errors.As(err, &coded) && coded.ErrorCode() == "NoSuchBucket")
}

// conflict reports that S3 had two conditional writes of one name at once and made neither out.
func conflict(err error) bool {
	var coded interface{ ErrorCode() string }
	return errors.As(err, &coded) && (coded.ErrorCode() == "ConditionalRequestConflict" || coded.ErrorCode() == "OperationAborted")
}

// A reason is an error of a provider's library in one line. Those texts hold whole requests, with
// addresses that may be signed, and responses of many lines.
type reason struct {
	text  string
	cause error
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.cause }

// short gives an error the text that a person needs. The end of the context is told as such, and what is not
// there is fs.ErrNotExist.
func short(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var coded interface {
		ErrorCode() string
		ErrorMessage() string
	}
	var azure *azcore.ResponseError
	var google *googleapi.Error
	var request *url.Error
	var op *net.OpError
	switch {
	case absent(err):
		return fs.ErrNotExist
	case errors.As(err, &coded):
		return &reason{line(strings.TrimSuffix(coded.ErrorCode()+": "+coded.ErrorMessage(), ": ")), err}
	case errors.As(err, &azure):
		return &reason{line(fmt.Sprintf("%s (status %d)", azure.ErrorCode, azure.StatusCode)), err}
	case errors.As(err, &google):
		return &reason{line(fmt.Sprintf("%s (status %d)", google.Message, google.Code)), err}
	case errors.As(err, &op):
		return &reason{line(op.Error()), err}
	case errors.As(err, &request):
		return &reason{line(request.Err.Error()), err}
	}
	return &reason{line(err.Error()), err}
}

var (
	queries = regexp.MustCompile(`(https?://[^\s"?]*)\?[^\s"]*`)
	users   = regexp.MustCompile(`://[^\s"/@]*@`)
)

// line is a text in one line of bounded length, in which addresses have no user and no query.
func line(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	text = users.ReplaceAllString(queries.ReplaceAllString(text, "$1"), "://")
	if r := []rune(text); len(r) > 300 {
		return string(r[:300]) + "…"
	}
	return text
}

package checkpoint

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// tries is how often a request is made, or a download taken up again without a byte of progress.
const tries = 4

// maxWait is the longest that a hub's Retry-After is waited for; one that asks for more has
// refused.
const maxWait = time.Minute

// backoff is the time between two tries, times the number of the try. Tests change it.
var backoff = time.Second

// sleep waits unless ctx ends before. Tests change it.
var sleep = func(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// again calls ask until it succeeds, fails in a way that does not pass or has failed tries times.
func again(ctx context.Context, passes func(error) bool, ask func() error) error {
	for try := 1; ; try++ {
		err := ask()
		if err == nil || try == tries || ctx.Err() != nil || !passes(err) {
			return err
		}
		if err := pause(ctx, try, err); err != nil {
			return err
		}
	}
}

// passing tells whether a failed request may succeed when repeated: a cut connection, a
// hub that is busy.
func passing(err error) bool {
	var status *statusError
	return errors.Is(err, errNetwork) || errors.As(err, &status) && status.passing()
}

// pause waits before the next try: longer after each, and at least as long as the hub asks for. If
// that is too long it returns err.
func pause(ctx context.Context, try int, err error) error {
	wait := time.Duration(try) * backoff
	var status *statusError
	if errors.As(err, &status) {
		if status.after > maxWait {
			return err
		}
		wait = max(wait, status.after)
	}
	return sleep(ctx, wait)
}

// retryAfter reads the header of that name: seconds, or a date. It is 0 if there is none.
func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

package judge

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Patience. Tests change it.
var (
	tries       = 6                // of one question
	firstPause  = time.Second      // after the first try, if the endpoint asks for none; twice as long after each further one
	longPause   = time.Minute      // the longest of these
	longestWait = 10 * time.Minute // that an endpoint may ask for
)

// failedInRow is how many questions may fail one after the other before the endpoint counts as down.
const failedInRow = 5

// turn waits until a request may be sent, and takes a slot for it.
func (p *Panel) turn(ctx context.Context) error {
	for {
		p.mu.Lock()
		pause := time.Until(p.hold)
		p.mu.Unlock()
		if pause <= 0 {
			break
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	if err := p.rate.Wait(ctx); err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := p.spend(ctx); err != nil {
		<-p.slots
		return err
	}
	return nil
}

// spend takes one request from the budget.
func (p *Panel) spend(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.endpoint
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case p.stopped != nil:
	case e.MaxRequests > 0 && p.requests >= e.MaxRequests:
		p.stopped = ended("judge.max_requests %d is spent; the same command asks as many again", e.MaxRequests)
	case e.MaxTokens > 0 && p.tokens >= e.MaxTokens:
		p.stopped = ended("judge.max_tokens %d is spent; the same command spends as many again", e.MaxTokens)
	default:
		p.requests++
	}
	return p.stopped
}

// ended is the error of a panel that asks no more.
func ended(format string, args ...any) error {
	return fmt.Errorf("%w: %s; what was answered is kept", ErrStopped, fmt.Sprintf(format, args...))
}

// stop ends the asking for all.
func (p *Panel) stop(format string, args ...any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped == nil {
		p.stopped = ended(format, args...)
	}
	return p.stopped
}

// lost counts a question that got no answer.
func (p *Panel) lost(f *failure) error {
	p.mu.Lock()
	p.failed++
	n := p.failed
	p.mu.Unlock()
	if n < failedInRow {
		return nil
	}
	return p.stop("%d questions in a row got no answer after %d tries each, the last because %s", n, tries, f.text)
}

// count adds what a request took. Endpoints that do not say are estimated at four bytes a token.
func (p *Panel) count(c *completion, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c == nil {
		return
	}
	p.failed = 0
	if c.Usage.Total > 0 {
		p.tokens += c.Usage.Total
	} else {
		p.tokens += len(body)/4 + p.settings.ReplyTokens
	}
}

// wait keeps all questions back for as long as the endpoint asks.
func (p *Panel) wait(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); d > 0 && until.After(p.hold) {
		p.hold = until
	}
}

// jitter is the pause after a try: twice as long each time, and drawn, so that questions that failed
// together do not come back together.
func jitter(try int) time.Duration {
	d := min(float64(firstPause)*math.Pow(2, float64(try)), float64(longPause))
	return time.Duration(d * (0.5 + 0.5*rand.Float64()))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

package judge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/persona-transfer/runpipeline/cache"
)

// ErrStopped reports that no further question is asked: the budget is spent, or the endpoint answers none.
// What was answered is kept.
var ErrStopped = errors.New("the judge is not asked any further")

// A Panel asks one endpoint on behalf of one run. It is safe for concurrent use.
type Panel struct {
	settings Settings
	endpoint Endpoint
	host     string
	key      string
	tell     func(warning string)

	client  *http.Client
	rate    *rate.Limiter
	slots   chan struct{} // one for each request under way
	flights singleflight.Group

	mu       sync.Mutex
	requests int // sent
	tokens   int // read and written, as the endpoint counts them
	failed   int // questions in a row
	hold     time.Time
	dropped  map[string]bool // settings that the endpoint does not take
	stopped  error
}

// New makes a panel. It reads the key; tell is told what changes the answers, from any goroutine.
func New(s Settings, e Endpoint, tell func(warning string)) (*Panel, error) {
	key, err := e.key()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStopped, err)
	}
	limit := rate.Inf
	if e.RequestsPerMinute > 0 {
		limit = rate.Limit(e.RequestsPerMinute / 60)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = e.Concurrency
	transport.MaxResponseHeaderBytes = 1 << 20
	return &Panel{settings: s, endpoint: e, host: e.Host(), key: key, tell: tell, rate: rate.NewLimiter(limit, 1),
		slots: make(chan struct{}, max(e.Concurrency, 1)), dropped: map[string]bool{},
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Known gives the answer to a question that was asked before, without asking anybody.
func Known(ctx context.Context, store cache.Store, s Settings, q Question) (a Answer, ok bool, err error) {
	if q.Empty() {
		return missing("there is no text"), true, nil
	}
	return known(ctx, store, s.recipe(q))
}

func known(ctx context.Context, store cache.Store, r *cache.Recipe) (a Answer, ok bool, err error) {
	outputs, ok, err := store.Lookup(ctx, r.Key())
	if err != nil || !ok || len(outputs) != 1 {
		return a, false, err
	}
	raw, err := store.Read(ctx, outputs[0].Digest)
	if err != nil {
		return a, false, err
	}
	c, err := parse(raw)
	if err != nil {
		return a, false, fmt.Errorf("read the judge's reply %s: %w", outputs[0].Digest.Short(), err)
	}
	a = c.answer()
	a.Reply = outputs[0].Digest
	return a, true, nil
}

// Ask gives the answer to a question: the one that is kept, else one that is asked for now and kept. An
// answer that did not come is Failed. An error ends the asking; it wraps [ErrStopped] unless it is the
// store's or the context's.
func (p *Panel) Ask(ctx context.Context, store cache.Store, q Question) (Answer, error) {
	if a, ok, err := Known(ctx, store, p.settings, q); ok || err != nil {
		return a, err
	}
	r := p.settings.recipe(q)
	v, err, _ := p.flights.Do(r.Key().String(), func() (any, error) {
		if a, ok, err := known(ctx, store, r); ok || err != nil { // meanwhile
			return a, err
		}
		var a Answer
		failed, err := p.request(ctx, q, func(raw []byte) (err error) {
			a, err = p.keep(context.WithoutCancel(ctx), store, r, raw)
			return err
		})
		if err != nil || failed != nil {
			return p.unanswered(failed), err
		}
		return a, nil
	})
	if err != nil {
		return Answer{}, err
	}
	return v.(Answer), nil
}

// unanswered is the answer to a question that got none.
func (p *Panel) unanswered(f *failure) Answer {
	if f == nil {
		return Answer{}
	}
	a := missing("not answered: %s", f.text)
	a.Failed = true
	return a
}

// KindReply is the kind of what a judge answered, word for word.
const KindReply = "reply"

// keep stores a reply. One that another process stored first stays.
func (p *Panel) keep(ctx context.Context, store cache.Store, r *cache.Recipe, raw []byte) (Answer, error) {
	digest, n, err := store.Create(ctx, func(w io.Writer) error { _, err := w.Write(raw); return err })
	if err != nil {
		return Answer{}, err
	}
	err = store.Commit(ctx, r, []cache.Output{{Name: "reply", Kind: KindReply, Digest: digest, Bytes: n}})
	if err != nil && !errors.Is(err, cache.ErrMismatch) {
		return Answer{}, err
	}
	a, ok, err := known(ctx, store, r)
	if err == nil && !ok {
		err = errors.New("the judge's reply was stored and is not there")
	}
	return a, err
}

// request asks until there is a reply, the endpoint was given its chances, or the panel is stopped. A
// request counts as under way until its reply is kept, so that a kill costs no more than those.
func (p *Panel) request(ctx context.Context, q Question, keep func(raw []byte) error) (last *failure, err error) {
	for try := 0; try < tries; try++ {
		if err := p.turn(ctx); err != nil {
			return nil, err
		}
		without := p.without()
		body := p.settings.body(q, without)
		// A request that is under way when the run is interrupted is paid for: it is waited for.
		raw, c, f := p.post(context.WithoutCancel(ctx), body)
		if f == nil {
			err = keep(raw)
		}
		<-p.slots
		p.count(c, body)
		switch {
		case f == nil:
			return nil, err
		case f.drop != "" && !without[f.drop]:
			p.drop(f.drop)
			try-- // the same question in other words
			continue
		case f.fatal:
			return nil, p.stop("%s", f.text)
		case f.after > longestWait:
			return nil, p.stop("%s, and asks to wait for %v", f.text, f.after.Round(time.Second))
		}
		last = f
		p.wait(f.after)
		if f.after == 0 && try < tries-1 {
			if err := sleep(ctx, jitter(try)); err != nil {
				return nil, err
			}
		}
	}
	return last, p.lost(last)
}

// without are the settings that are left out by now.
func (p *Panel) without() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.dropped)
}

// drop leaves a setting out from now on.
func (p *Panel) drop(name string) {
	p.mu.Lock()
	before := p.dropped[name]
	p.dropped[name] = true
	p.mu.Unlock()
	for _, s := range settingsTold {
		if s.name == name && s.loses != "" && !before {
			p.tell(fmt.Sprintf("the judge at %s takes no %s", p.host, s.loses))
		}
	}
}

package gpu

import "context"

// progressKey is the key of a context's report.
type progressKey struct{}

// WithProgress gives a context whose Capture, NLL and Generate tell report how much of their work is
// done: a share from 0 to 1 that never falls within a call, after every batch or new token. One
// goroutine at a time calls report, and the device may be waiting for it. A call that ends early, as one
// whose texts all end does, need not get to 1.
func WithProgress(ctx context.Context, report func(share float64)) context.Context {
	return context.WithValue(ctx, progressKey{}, report)
}

// PartOf gives a context for call i of n that are alike: what the call reports is its part of the whole.
func PartOf(ctx context.Context, i, n int) context.Context {
	whole, ok := ctx.Value(progressKey{}).(func(float64))
	if !ok {
		return ctx
	}
	return WithProgress(ctx, func(share float64) { whole((float64(i) + share) / float64(n)) })
}

// A meter adds up what a call has done; nil if nobody asks.
type meter struct {
	report      func(float64)
	total, done float64
}

func newMeter(ctx context.Context, total int) *meter {
	report, ok := ctx.Value(progressKey{}).(func(float64))
	if !ok || total <= 0 {
		return nil
	}
	return &meter{report: report, total: float64(total)}
}

// add counts n more of the total.
func (m *meter) add(n int) {
	if m == nil {
		return
	}
	m.done += float64(n)
	m.report(min(m.done/m.total, 1))
}

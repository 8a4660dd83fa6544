package llmgateway

import (
	"context"
	"slices"
	"time"
)

const (
	defaultMaxAttempts = 2
	defaultMaxWait     = 10 * time.Second
)

// RetryPolicy says which failed calls are made again: those for which the gateway said when it is worth it
// (google.rpc.RetryInfo), and of a stream only those that failed before its first event. Each wait is exactly as long
// as the gateway said. A wait that does not fit into MaxWait, or would outlast the context's deadline, is not begun,
// and a context that ends stops a wait at once.
//
// Failed attempts may have been paid for. OnRetry sees the receipt of each that is made again; when the call fails in
// the end, they are in [Error.Previous] too.
type RetryPolicy struct {
	// MaxAttempts counts the first one too; 0 stands for 2.
	MaxAttempts int
	// MaxWait is the most time that one call waits, over all its retries; 0 stands for 10 s.
	MaxWait time.Duration
	// OnRetry is called before each wait with the failure that causes it. Its RetryAfter is set.
	OnRetry func(ctx context.Context, failure *Error)
	// Sleep waits in place of a timer, for tests in virtual time. It must return when the context ends.
	Sleep func(ctx context.Context, wait time.Duration)
}

// withRetries makes a call as often as the policy has it. Without one it is made once.
func withRetries[Reply any](
	ctx context.Context,
	policy *RetryPolicy,
	attempt func() (Reply, *Error),
) (Reply, error) {
	var waited time.Duration
	var previous []*Error
	for {
		reply, failure := attempt()
		if failure == nil {
			return reply, nil
		}
		failure.Previous = slices.Clone(previous)
		wait, worthIt := policy.wait(ctx, failure, waited)
		if !worthIt {
			return reply, failure
		}
		previous = append(previous, failure)
		if policy.OnRetry != nil {
			policy.OnRetry(ctx, failure)
		}
		policy.sleep(ctx, wait)
		if ctx.Err() != nil {
			ended := newError(ctx, ctx.Err(), failure.RequestID, kindCancelled)
			ended.Previous = previous
			return reply, ended
		}
		waited += wait
	}
}

func (p *RetryPolicy) wait(
	ctx context.Context,
	failure *Error,
	waited time.Duration,
) (time.Duration, bool) {
	if p == nil || failure.RetryAfter == nil {
		return 0, false
	}
	if made := len(failure.Previous) + 1; made >= orDefault(p.MaxAttempts, defaultMaxAttempts) {
		return 0, false
	}
	wait := *failure.RetryAfter
	if waited+wait > orDefault(p.MaxWait, defaultMaxWait) {
		return 0, false
	}
	if deadline, limited := ctx.Deadline(); limited && wait >= time.Until(deadline) {
		return 0, false
	}
	return wait, ctx.Err() == nil
}

func (p *RetryPolicy) sleep(ctx context.Context, wait time.Duration) {
	if p.Sleep != nil {
		p.Sleep(ctx, wait)
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func orDefault[Number int | time.Duration](value, otherwise Number) Number {
	if value == 0 {
		return otherwise
	}
	return value
}

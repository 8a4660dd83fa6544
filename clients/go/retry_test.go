package llmgateway_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

// virtual is a policy in virtual time, and what became of it.
type virtual struct {
	policy llmgateway.RetryPolicy
	waits  []time.Duration
	told   []*llmgateway.Error
}

func virtually(policy llmgateway.RetryPolicy) *virtual {
	run := &virtual{policy: policy}
	run.policy.Sleep = func(_ context.Context, wait time.Duration) { run.waits = append(run.waits, wait) }
	run.policy.OnRetry = func(_ context.Context, failure *llmgateway.Error) { run.told = append(run.told, failure) }
	return run
}

func TestRetryWaitsAsLongAsTheGatewaySays(t *testing.T) {
	server := serveScript(t, busy(t, 2*time.Second, 11), busy(t, 0, 12), answerOf("Hello"))
	run := virtually(llmgateway.RetryPolicy{MaxAttempts: 3})
	reply, err := newClient(t, server.url, llmgateway.WithRetry(run.policy)).Chat(patient(t), ask("Hello"))
	if err != nil || reply.GetResponse() != "Hello" {
		t.Fatalf("answered %v, %v", reply, err)
	}
	if !slices.Equal(run.waits, []time.Duration{2 * time.Second, 0}) {
		t.Errorf("waited %v", run.waits)
	}
	var spent []int64
	for _, failure := range run.told {
		spent = append(spent, failure.Receipt.GetCost().GetActualPicoUsd())
	}
	if !slices.Equal(spent, []int64{11, 12}) {
		t.Errorf("told of %v", spent)
	}
}

func TestFailureHasTheAttemptsBeforeIt(t *testing.T) {
	server := serveScript(t, busy(t, time.Second, 11), busy(t, time.Second, 12), busy(t, time.Second, 13))
	run := virtually(llmgateway.RetryPolicy{MaxAttempts: 3})
	_, err := newClient(t, server.url, llmgateway.WithRetry(run.policy)).Stream(patient(t), ask("Hello"))
	if spent := spentBefore(err); !slices.Equal(spent, []int64{11, 12}) {
		t.Errorf("before the last %v was spent", spent)
	}
	if last := llmgateway.ErrorFrom(err).Receipt.GetCost().GetActualPicoUsd(); last != 13 {
		t.Errorf("the last cost %d", last)
	}
}

func spentBefore(err error) []int64 {
	var spent []int64
	for _, failure := range llmgateway.ErrorFrom(err).Previous {
		spent = append(spent, failure.Receipt.GetCost().GetActualPicoUsd())
	}
	return spent
}

func TestRetryOfALiveGateway(t *testing.T) {
	run := virtually(llmgateway.RetryPolicy{MaxAttempts: 2})
	run.policy.OnRetry = nil
	run.policy.Sleep = func(_ context.Context, wait time.Duration) {
		if wait != 2*time.Second {
			t.Errorf("waited %v", wait)
		}
	}
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		_, err := client.Stream(patient(t), ask("[[emulate: status=429 retry_after=2]] Hello"))
		if failure, ok := errors.AsType[*llmgateway.Error](err); !ok || failure.Kind != "provider_rate_limited" {
			t.Errorf("failed with %v", err)
		}
	}, llmgateway.WithRetry(run.policy))
}

func TestRetryOfAStreamBeforeItsFirstEventOnly(t *testing.T) {
	broken := busy(t, time.Second, 5)
	broken.events = []*v1.StreamResponse{{Token: new("He")}}
	server := serveScript(t, busy(t, time.Second, 5), broken)
	run := virtually(llmgateway.RetryPolicy{})
	stream, err := newClient(t, server.url, llmgateway.WithRetry(run.policy)).Stream(patient(t), ask("Hello"))
	if err != nil {
		t.Fatal(err)
	}
	for range stream.All() {
	}
	if connect.CodeOf(stream.Err()) != connect.CodeResourceExhausted {
		t.Errorf("ended with %v", stream.Err())
	}
	if server.calls() != 2 || len(run.waits) != 1 {
		t.Errorf("called %d times, waited %v", server.calls(), run.waits)
	}
}

func TestNoRetry(t *testing.T) {
	for name, test := range map[string]struct {
		policy  *llmgateway.RetryPolicy
		failure outcome
		calls   int
	}{
		"without a policy":          {nil, busy(t, time.Second, 0), 1},
		"where the gateway says so": {&llmgateway.RetryPolicy{}, outcome{err: connect.NewError(connect.CodeUnavailable, nil)}, 1},
		"after the default":         {&llmgateway.RetryPolicy{}, busy(t, time.Second, 0), 2},
		"after MaxAttempts":         {&llmgateway.RetryPolicy{MaxAttempts: 5}, busy(t, time.Second, 0), 5},
		"longer than MaxWait":       {&llmgateway.RetryPolicy{MaxWait: time.Second}, busy(t, time.Second+1, 0), 1},
		"longer in all":             {&llmgateway.RetryPolicy{MaxWait: 3 * time.Second, MaxAttempts: 9}, busy(t, time.Second, 0), 4},
		"longer than the default":   {&llmgateway.RetryPolicy{}, busy(t, 11*time.Second, 0), 1},
		"beyond the deadline":       {&llmgateway.RetryPolicy{MaxWait: time.Hour}, busy(t, patience, 0), 1},
	} {
		t.Run(name, func(t *testing.T) {
			server := serveScript(t, test.failure)
			var options []llmgateway.Option
			if test.policy != nil {
				options = append(options, llmgateway.WithRetry(virtually(*test.policy).policy))
			}
			_, err := newClient(t, server.url, options...).Chat(patient(t), ask("Hello"))
			if failure, ok := errors.AsType[*llmgateway.Error](err); !ok || failure.Code == connect.CodeCanceled {
				t.Errorf("failed with %v", err)
			}
			if server.calls() != test.calls {
				t.Errorf("called %d times", server.calls())
			}
		})
	}
}

func TestRetryStopsAtOnceWhenTheCallerLeaves(t *testing.T) {
	server := serveScript(t, busy(t, patience-time.Second, 3))
	ctx, cancel := context.WithCancel(patient(t))
	began := time.Now()
	// With the real timer.
	policy := llmgateway.RetryPolicy{MaxWait: patience, OnRetry: func(context.Context, *llmgateway.Error) { cancel() }}
	_, err := newClient(t, server.url, llmgateway.WithRetry(policy)).Chat(ctx, ask("Hello"))
	if !errors.Is(err, context.Canceled) || server.calls() != 1 {
		t.Errorf("called %d times, failed with %v", server.calls(), err)
	}
	if spent := spentBefore(err); !slices.Equal(spent, []int64{3}) {
		t.Errorf("before that %v was spent", spent)
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("took %v", took)
	}
}

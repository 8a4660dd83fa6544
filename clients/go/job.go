package llmgateway

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"time"

	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
	"google.golang.org/protobuf/proto"
)

const (
	// How long a gateway that is away is waited for, once it has taken a job: from the shortest wait to the longest,
	// and then no more.
	firstWait   = 250 * time.Millisecond
	longestWait = 10 * time.Second
	giveUpAfter = 5 * time.Minute
	// How long a caller who leaves waits for the gateway to take note of it.
	cancelWithin = 5 * time.Second
)

// SubmitJob takes a conversation to be continued while nobody waits. Its error is an [*Error].
func (c *Client) SubmitJob(ctx context.Context, request *v1.SubmitJobRequest) (*v1.Job, error) {
	return unary(ctx, c, c.rpc.SubmitJob, request)
}

// GetJob tells what has become of a job. Its error is an [*Error].
func (c *Client) GetJob(ctx context.Context, request *v1.GetJobRequest) (*v1.Job, error) {
	return unary(ctx, c, c.rpc.GetJob, request)
}

// GetJobResult gives the reply of a job that has completed. A job that failed fails with what it failed with. Its
// error is an [*Error].
func (c *Client) GetJobResult(ctx context.Context, request *v1.GetJobResultRequest) (*v1.ChatResponse, error) {
	return unary(ctx, c, c.rpc.GetJobResult, request)
}

// ListJobs lists the caller's jobs, the newest first. Its error is an [*Error].
func (c *Client) ListJobs(ctx context.Context, request *v1.ListJobsRequest) (*v1.ListJobsResponse, error) {
	return unary(ctx, c, c.rpc.ListJobs, request)
}

// CancelJob ends a job; its status follows within seconds. Its error is an [*Error].
func (c *Client) CancelJob(ctx context.Context, request *v1.CancelJobRequest) (*v1.Job, error) {
	return unary(ctx, c, c.rpc.CancelJob, request)
}

// SubmitBatch takes many conversations at once; all of them or none. Its error is an [*Error].
func (c *Client) SubmitBatch(ctx context.Context, request *v1.SubmitBatchRequest) (*v1.Batch, error) {
	return unary(ctx, c, c.rpc.SubmitBatch, request)
}

// GetBatch tells how far a batch has come. Its error is an [*Error].
func (c *Client) GetBatch(ctx context.Context, request *v1.GetBatchRequest) (*v1.Batch, error) {
	return unary(ctx, c, c.rpc.GetBatch, request)
}

// ListBatchResults gives the results of a batch, as far as there are any. Its error is an [*Error].
func (c *Client) ListBatchResults(
	ctx context.Context,
	request *v1.ListBatchResultsRequest,
) (*v1.ListBatchResultsResponse, error) {
	return unary(ctx, c, c.rpc.ListBatchResults, request)
}

// CancelBatch cancels every job of a batch that has not ended. Its error is an [*Error].
func (c *Client) CancelBatch(ctx context.Context, request *v1.CancelBatchRequest) (*v1.Batch, error) {
	return unary(ctx, c, c.rpc.CancelBatch, request)
}

// ListWebhooks lists the caller's webhooks, the newest first. Its error is an [*Error].
func (c *Client) ListWebhooks(ctx context.Context, request *v1.ListWebhooksRequest) (*v1.ListWebhooksResponse, error) {
	return unary(ctx, c, c.rpc.ListWebhooks, request)
}

// GetWebhook gives a webhook with every try to deliver it. Its error is an [*Error].
func (c *Client) GetWebhook(ctx context.Context, request *v1.GetWebhookRequest) (*v1.Webhook, error) {
	return unary(ctx, c, c.rpc.GetWebhook, request)
}

// RedeliverWebhook delivers a webhook once more. Its error is an [*Error].
func (c *Client) RedeliverWebhook(ctx context.Context, request *v1.RedeliverWebhookRequest) (*v1.Webhook, error) {
	return unary(ctx, c, c.rpc.RedeliverWebhook, request)
}

// WatchJob gives what becomes of a job as it happens, until it has ended, and then the error if there was one, with a
// nil event. It is one connection: where that breaks, the error says so, and another watch begins with the job as it is
// then.
func (c *Client) WatchJob(ctx context.Context, request *v1.WatchJobRequest) iter.Seq2[*v1.JobEvent, error] {
	return func(yield func(*v1.JobEvent, error) bool) {
		if failure := c.watch(ctx, request, func(event *v1.JobEvent) bool { return yield(event, nil) }); failure != nil {
			yield(nil, failure)
		}
	}
}

// WaitOption changes how [Client.SubmitAndWait] waits.
type WaitOption func(*waiting)

type waiting struct {
	onEvent           func(*v1.JobEvent)
	cancelWithContext bool
}

// OnJobEvent is told of all that happens to the job. The first event has the job as it was submitted. After a
// connection that broke, what was told before may come again.
func OnJobEvent(told func(*v1.JobEvent)) WaitOption {
	return func(set *waiting) { set.onEvent = told }
}

// CancelWithContext has the end of the context end the job too, and not the wait alone.
func CancelWithContext() WaitOption {
	return func(set *waiting) { set.cancelWithContext = true }
}

// SubmitAndWait submits a job once, and returns its reply when it has completed. Its error is an [*Error]: that of
// [Client.Chat] for a job that failed, and of the kind "job_cancelled" or "job_expired" for one that was not answered.
// Connections that break are made again, and a gateway that is away is waited for, up to five minutes at a time. When
// ctx ends the job goes on, unless there is [CancelWithContext].
func (c *Client) SubmitAndWait(
	ctx context.Context,
	request *v1.SubmitJobRequest,
	options ...WaitOption,
) (*v1.ChatResponse, error) {
	set := waiting{onEvent: func(*v1.JobEvent) {}}
	for _, option := range options {
		option(&set)
	}
	if request.GetIdempotencyKey() == "" {
		request = proto.CloneOf(request)
		request.IdempotencyKey = rand.Text()
	}
	job, err := c.SubmitJob(ctx, request)
	if err != nil {
		return nil, err
	}
	set.onEvent(&v1.JobEvent{Job: job})
	reply, err := c.await(ctx, job.GetJobId(), set.onEvent)
	// The gateway knows the deadline too, and can be the first to see it pass.
	left := ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)
	if err != nil && left && set.cancelWithContext {
		leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelWithin)
		defer cancel()
		// The caller is told why the wait ended.
		_, _ = c.CancelJob(leaving, &v1.CancelJobRequest{JobId: job.GetJobId()})
	}
	return reply, err
}

func (c *Client) await(ctx context.Context, id string, told func(*v1.JobEvent)) (*v1.ChatResponse, error) {
	var away absence
	for ended := false; !ended; {
		failure := c.watch(ctx, &v1.WatchJobRequest{JobId: id}, func(event *v1.JobEvent) bool {
			away = absence{}
			told(event)
			ended = ended || hasEnded(event.GetJob())
			return true
		})
		if failure != nil && !ended {
			if err := away.wait(ctx, failure); err != nil {
				return nil, err
			}
		}
	}
	for {
		reply, err := c.GetJobResult(ctx, &v1.GetJobResultRequest{JobId: id})
		if err == nil {
			return reply, nil
		}
		if err := away.wait(ctx, ErrorFrom(err)); err != nil {
			return nil, err
		}
	}
}

// watch is one connection, until the job has ended or take is false.
func (c *Client) watch(caller context.Context, message *v1.WatchJobRequest, take func(*v1.JobEvent) bool) *Error {
	return receive(caller, c, c.rpc.WatchJob, message, func(event *v1.JobEvent) told {
		return told{nil, hasEnded(event.GetJob())}
	}, "the watch ended before the job", take)
}

// absence is since when a gateway has not answered.
type absence struct {
	since time.Time
	next  time.Duration
}

// wait returns nil when it is worth asking again, and otherwise the failure.
func (a *absence) wait(ctx context.Context, failure *Error) error {
	if !isPassing(failure) || ctx.Err() != nil {
		return failure
	}
	if a.since.IsZero() {
		a.since, a.next = time.Now(), firstWait
	}
	wait := a.next
	if failure.RetryAfter != nil {
		wait = *failure.RetryAfter
	}
	if time.Since(a.since)+wait > giveUpAfter {
		return failure
	}
	a.next = min(2*a.next, longestWait)
	new(RetryPolicy).sleep(ctx, wait)
	if ctx.Err() != nil {
		return newError(ctx, ctx.Err(), failure.RequestID, kindCancelled)
	}
	return nil
}

// isPassing tells whether the gateway starts anew, is busy, or the way to it broke.
func isPassing(failure *Error) bool {
	switch failure.Kind {
	case kindGatewayUnreachable, kindConnectionLost, "shutting_down", "jobs_unavailable", "rate_limited":
		return true
	default:
		return false
	}
}

func hasEnded(job *v1.Job) bool {
	switch job.GetStatus() {
	case "completed", "failed", "cancelled", "expired":
		return true
	default:
		return false
	}
}

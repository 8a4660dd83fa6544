package llmgateway

import (
	"context"
	"iter"

	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

// ListCircuits lists the circuits of all providers, and those of their models that are not as usual. Where the gateway
// has API keys, it takes one with the scope admin. Its error is an [*Error].
func (c *Client) ListCircuits(ctx context.Context, request *v1.ListCircuitsRequest) (*v1.ListCircuitsResponse, error) {
	return unary(ctx, c, c.admin.ListCircuits, request)
}

// SetCircuit opens or closes a circuit by hand, or leaves it to itself again. Where the gateway has API keys, it takes
// one with the scope admin. Its error is an [*Error].
func (c *Client) SetCircuit(ctx context.Context, request *v1.SetCircuitRequest) (*v1.Circuit, error) {
	return unary(ctx, c, c.admin.SetCircuit, request)
}

// GetCacheStats tells what the gateway's cache holds, and what it saved. Where the gateway has API keys, it takes one
// with the scope admin. Its error is an [*Error].
func (c *Client) GetCacheStats(ctx context.Context, request *v1.GetCacheStatsRequest) (*v1.GetCacheStatsResponse, error) {
	return unary(ctx, c, c.admin.GetCacheStats, request)
}

// ClearCache lets go of answers that the cache holds. Every one goes only by all. Where the gateway has API keys, it
// takes one with the scope admin. Its error is an [*Error].
func (c *Client) ClearCache(ctx context.Context, request *v1.ClearCacheRequest) (*v1.ClearCacheResponse, error) {
	return unary(ctx, c, c.admin.ClearCache, request)
}

// GetExperiments tells how experiments stand. Where the gateway has API keys, it takes one with the scope admin. Its
// error is an [*Error].
func (c *Client) GetExperiments(ctx context.Context, request *v1.GetExperimentsRequest) (*v1.GetExperimentsResponse, error) {
	return unary(ctx, c, c.admin.GetExperiments, request)
}

// PromoteVariant gives all calls of an experiment to one variant; without one, it shares them by the weights again.
// Where the gateway has API keys, it takes one with the scope admin. Its error is an [*Error].
func (c *Client) PromoteVariant(ctx context.Context, request *v1.PromoteVariantRequest) (*v1.Experiment, error) {
	return unary(ctx, c, c.admin.PromoteVariant, request)
}

// StopExperiment ends an experiment. Where the gateway has API keys, it takes one with the scope admin. Its error is an
// [*Error].
func (c *Client) StopExperiment(ctx context.Context, request *v1.StopExperimentRequest) (*v1.Experiment, error) {
	return unary(ctx, c, c.admin.StopExperiment, request)
}

// WarmCache has requests answered and kept, and gives what became of each as it is done, and then the error if there
// was one, with a nil event; the last event has done set. It is sent once, and a loop that is left, or the end of ctx,
// ends it at the gateway. Where the gateway has API keys, it takes one with the scope admin.
func (c *Client) WarmCache(ctx context.Context, request *v1.WarmCacheRequest) iter.Seq2[*v1.WarmCacheResponse, error] {
	return func(yield func(*v1.WarmCacheResponse, error) bool) {
		failure := receive(ctx, c, c.admin.WarmCache, request, func(event *v1.WarmCacheResponse) told {
			return told{event.GetError(), event.GetDone()}
		}, "the warming ended without its last event", func(event *v1.WarmCacheResponse) bool { return yield(event, nil) })
		if failure != nil {
			yield(nil, failure)
		}
	}
}

// GetUsage tells what was spent, by whatever is asked for. Where the gateway has API keys, it takes one with the scope
// admin. Its error is an [*Error].
func (c *Client) GetUsage(ctx context.Context, request *v1.GetUsageRequest) (*v1.GetUsageResponse, error) {
	return unary(ctx, c, c.admin.GetUsage, request)
}

// ListRequests lists requests that are over, the latest first. Where the gateway has API keys, it takes one with the
// scope admin. Its error is an [*Error].
func (c *Client) ListRequests(ctx context.Context, request *v1.ListRequestsRequest) (*v1.ListRequestsResponse, error) {
	return unary(ctx, c, c.admin.ListRequests, request)
}

// GetRequest tells one request with all that was tried for it. Where the gateway has API keys, it takes one with the
// scope admin. Its error is an [*Error].
func (c *Client) GetRequest(ctx context.Context, request *v1.GetRequestRequest) (*v1.GetRequestResponse, error) {
	return unary(ctx, c, c.admin.GetRequest, request)
}

// DeleteRequestTexts deletes what was said in a request, or in all, where the gateway keeps that. Where it has API keys,
// it takes one with the scope admin. Its error is an [*Error].
func (c *Client) DeleteRequestTexts(ctx context.Context, request *v1.DeleteRequestTextsRequest) (*v1.DeleteRequestTextsResponse, error) {
	return unary(ctx, c, c.admin.DeleteRequestTexts, request)
}

// Reprice works out what past calls cost by other prices or at other models. Where the gateway has API keys, it takes
// one with the scope admin. Its error is an [*Error].
func (c *Client) Reprice(ctx context.Context, request *v1.RepriceRequest) (*v1.RepriceResponse, error) {
	return unary(ctx, c, c.admin.Reprice, request)
}

// BookAdjustments books what past calls cost more or less by corrected prices, beside what was booked. What is booked
// already, it does not book again. Where the gateway has API keys, it takes one with the scope admin. Its error is an
// [*Error].
func (c *Client) BookAdjustments(ctx context.Context, request *v1.BookAdjustmentsRequest) (*v1.BookAdjustmentsResponse, error) {
	return unary(ctx, c, c.admin.BookAdjustments, request)
}

// ListAdjustments lists what BookAdjustments booked, the latest first. Where the gateway has API keys, it takes one with
// the scope admin. Its error is an [*Error].
func (c *Client) ListAdjustments(ctx context.Context, request *v1.ListAdjustmentsRequest) (*v1.ListAdjustmentsResponse, error) {
	return unary(ctx, c, c.admin.ListAdjustments, request)
}

package llmgateway

import (
	"context"

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

// Reprice works out what past calls cost by other prices or at other models. Where the gateway has API keys, it takes
// one with the scope admin. Its error is an [*Error].
func (c *Client) Reprice(ctx context.Context, request *v1.RepriceRequest) (*v1.RepriceResponse, error) {
	return unary(ctx, c, c.admin.Reprice, request)
}

package llmgateway

import (
	"context"
	"iter"

	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

// Compare has several models continue a conversation at once, and gives the words of each as they come, and then the
// error if there was one, with a nil event; a model that fails is told by an event, and does not end the others. The
// last event has totals. It is sent once, and a loop that is left, or the end of ctx, ends all of it.
func (c *Client) Compare(ctx context.Context, request *v1.CompareRequest) iter.Seq2[*v1.CompareEvent, error] {
	return func(yield func(*v1.CompareEvent, error) bool) {
		failure := receive(ctx, c, c.rpc.Compare, request, func(event *v1.CompareEvent) told {
			return told{event.GetError(), event.GetTotals() != nil}
		}, "the comparison ended without its totals", func(event *v1.CompareEvent) bool { return yield(event, nil) })
		if failure != nil {
			yield(nil, failure)
		}
	}
}

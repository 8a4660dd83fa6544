package llmgateway

import (
	"context"
	"errors"
	"iter"

	"connectrpc.com/connect"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

// Compare has several models continue a conversation at once, and gives the words of each as they come, and then the
// error if there was one, with a nil event; a model that fails is told by an event, and does not end the others. The
// last event has totals. It is sent once, and a loop that is left, or the end of ctx, ends all of it.
func (c *Client) Compare(ctx context.Context, request *v1.CompareRequest) iter.Seq2[*v1.CompareEvent, error] {
	return func(yield func(*v1.CompareEvent, error) bool) {
		if failure := c.compare(ctx, request, func(event *v1.CompareEvent) bool { return yield(event, nil) }); failure != nil {
			yield(nil, failure)
		}
	}
}

func (c *Client) compare(caller context.Context, message *v1.CompareRequest, take func(*v1.CompareEvent) bool) *Error {
	request, failure := newRequest(caller, c, message)
	if failure != nil {
		return failure
	}
	requestID := request.Header().Get(requestIDHeader)
	ctx, cancel := context.WithCancel(caller)
	defer cancel()
	stream, err := c.rpc.Compare(ctx, request)
	if err != nil {
		return newError(caller, err, requestID, kindGatewayUnreachable)
	}
	defer func() { _ = stream.Close() }()
	kind := kindGatewayUnreachable
	var broken *v1.StreamError
	for stream.Receive() {
		kind = kindConnectionLost
		event := stream.Msg()
		// The protocol's own error comes behind it.
		if broken = event.GetError(); broken != nil {
			continue
		}
		if !take(event) || event.GetTotals() != nil {
			return nil
		}
	}
	err = stream.Err()
	if err == nil {
		err = connect.NewError(connect.CodeUnavailable, errors.New("the comparison ended without its totals"))
	}
	failure = newError(caller, err, requestID, kind)
	failure.addEvent(broken)
	return failure
}

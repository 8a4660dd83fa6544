package llmgateway

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

// told is what an event says of the call that it belongs to.
type told struct {
	// Why the call failed; the protocol's own error comes behind it.
	failure *v1.StreamError
	// Nothing comes behind it.
	last bool
}

// receive sends a call once and gives its events, until the last, or until take wants no more: then it is ended at the
// gateway. Unended is what is wrong with a call that ends without its last event.
func receive[Request, Event any](
	caller context.Context,
	c *Client,
	open func(context.Context, *connect.Request[Request]) (*connect.ServerStreamForClient[Event], error),
	message *Request,
	read func(*Event) told,
	unended string,
	take func(*Event) bool,
) *Error {
	request, failure := newRequest(caller, c, message)
	if failure != nil {
		return failure
	}
	requestID := request.Header().Get(requestIDHeader)
	ctx, cancel := context.WithCancel(caller)
	defer cancel()
	stream, err := open(ctx, request)
	if err != nil {
		return newError(caller, err, requestID, kindGatewayUnreachable)
	}
	defer func() { _ = stream.Close() }()
	kind := kindGatewayUnreachable
	var broken *v1.StreamError
	for stream.Receive() {
		kind = kindConnectionLost
		event := stream.Msg()
		told := read(event)
		if broken = told.failure; broken != nil {
			continue
		}
		if !take(event) || told.last {
			return nil
		}
	}
	err = stream.Err()
	if err == nil {
		err = connect.NewError(connect.CodeUnavailable, errors.New(unended))
	}
	failure = newError(caller, err, requestID, kind)
	failure.addEvent(broken)
	return failure
}

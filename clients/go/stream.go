package llmgateway

import (
	"context"
	"errors"
	"iter"

	"connectrpc.com/connect"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

const picoPerUSD = 1e12

// Stream is an answer that comes word by word. Range over [Stream.All], or call [Stream.Receive] until it is false,
// look at [Stream.Err], and call [Stream.Close]. It is not safe for concurrent use; to end it from elsewhere, cancel
// its context.
type Stream struct {
	// The caller's context; the call itself runs in one that Close can end.
	ctx       context.Context
	cancel    context.CancelFunc
	inner     *connect.ServerStreamForClient[v1.StreamResponse]
	requestID string

	// The first event, which was waited for, until it is received.
	first   *v1.StreamResponse
	event   *v1.StreamResponse
	done    bool
	failure *v1.StreamError
	err     *Error
	closed  bool

	picoUSD *int64
	receipt *v1.Receipt
}

// Stream continues a conversation and returns once the first event is there; until then a failed call can be made
// again by [WithRetry]. Its error is an [*Error].
//
// A stream that is not read to its end must be closed. That, or the end of ctx, ends the provider's work at once, and
// what was written until then is paid for.
func (c *Client) Stream(ctx context.Context, request *v1.ChatRequest) (*Stream, error) {
	return withRetries(ctx, c.retry, func() (*Stream, *Error) { return c.open(ctx, request) })
}

// All gives each event, and then the error if there was one, with a nil event. It closes the stream when the loop
// ends, however it ends.
func (s *Stream) All() iter.Seq2[*v1.StreamResponse, error] {
	return func(yield func(*v1.StreamResponse, error) bool) {
		defer s.Close()
		for s.Receive() {
			if !yield(s.event, nil) {
				return
			}
		}
		if err := s.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// Receive waits for the next event. It is false when the stream has ended, well or not.
func (s *Stream) Receive() bool {
	if s.closed {
		return false
	}
	if s.event, s.first = s.first, nil; s.event != nil {
		return true
	}
	s.event = s.next(kindConnectionLost)
	return s.event != nil
}

// Event is what Receive waited for; nil when it was false. The last event of a stream that ends well has done set; an
// event with error is told by [Stream.Err] instead.
func (s *Stream) Event() *v1.StreamResponse { return s.event }

// Err is why the stream broke off, an [*Error]; nil while it goes on, when it ended well, and when Close ended it.
// When the stream failed at the gateway, its Receipt says what was spent; when the caller ended it, or the connection
// broke, [Stream.CostUSD] is what is known of that.
func (s *Stream) Err() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// Close ends the call, if it goes on, and frees its connection. It may be called more than once.
func (s *Stream) Close() {
	s.closed = true
	s.cancel()
	// It only says that the call was just ended.
	_ = s.inner.Close()
}

// CostUSD is what the answer has cost so far, in dollars, and whether that is known. It is an estimate until the
// stream is done, and outlives a stream that was cut short.
func (s *Stream) CostUSD() (float64, bool) {
	pico, known := s.CostPicoUSD()
	return float64(pico) / picoPerUSD, known
}

// CostPicoUSD is [Stream.CostUSD] exactly, in trillionths of a dollar.
func (s *Stream) CostPicoUSD() (int64, bool) {
	if s.picoUSD == nil {
		return 0, false
	}
	return *s.picoUSD, true
}

// Receipt says who served, what it cost, and every attempt. It comes with the last event, and with a failure that the
// gateway told; until then it is nil.
func (s *Stream) Receipt() *v1.Receipt { return s.receipt }

// RequestID finds the call in the gateway's log.
func (s *Stream) RequestID() string { return s.requestID }

func (c *Client) open(caller context.Context, message *v1.ChatRequest) (*Stream, *Error) {
	request, failure := newRequest(caller, c, message)
	if failure != nil {
		return nil, failure
	}
	requestID := request.Header().Get(requestIDHeader)
	ctx, cancel := context.WithCancel(caller)
	inner, err := c.rpc.Stream(ctx, request)
	if err != nil {
		cancel()
		return nil, newError(caller, err, requestID, kindGatewayUnreachable)
	}
	stream := &Stream{ctx: caller, cancel: cancel, inner: inner, requestID: requestID}
	stream.first = stream.next(kindGatewayUnreachable)
	if stream.err != nil {
		stream.Close()
		return nil, stream.err
	}
	if given := inner.ResponseHeader().Get(requestIDHeader); given != "" {
		stream.requestID = given
	}
	return stream, nil
}

// next is nil at the end. The last event is read past, up to the protocol's own end, so that the connection can serve
// again; an answer that is done stays done, whatever becomes of the connection then.
//
// The kind is that of a failure which the gateway did not tell.
func (s *Stream) next(kind string) *v1.StreamResponse {
	if s.err != nil {
		return nil
	}
	for s.inner.Receive() {
		event := s.inner.Msg()
		s.take(event)
		if event.GetError() == nil {
			return event
		}
	}
	if s.done {
		return nil
	}
	err := s.inner.Err()
	if err == nil {
		err = connect.NewError(connect.CodeInternal, errors.New("the stream ended without its last event"))
	}
	s.err = newError(s.ctx, err, s.requestID, kind)
	s.err.addEvent(s.failure)
	s.receipt = s.err.Receipt
	if cost := s.receipt.GetCost(); cost != nil {
		// Its word stands over the running cost, also when that word is that the cost is not known.
		s.picoUSD = cost.ActualPicoUsd
	}
	return nil
}

func (s *Stream) take(event *v1.StreamResponse) {
	switch {
	case event.GetError() != nil:
		s.failure = event.GetError()
	case event.GetDone():
		s.done = true
		s.receipt, s.picoUSD = event.GetReceipt(), event.CostPicoUsd
	case event.CostPicoUsd != nil:
		s.picoUSD = event.CostPicoUsd
	}
}

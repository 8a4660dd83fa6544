package llmgateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

const (
	kindCancelled          = "cancelled"
	kindDeadlineExceeded   = "deadline_exceeded"
	kindNotSent            = "not_sent"
	kindGatewayUnreachable = "gateway_unreachable"
	kindConnectionLost     = "connection_lost"

	errorDomain = "llmgateway"
)

// Error is why a call failed. Find it with [errors.As] or [errors.AsType].
//
// [errors.Is] finds [context.Canceled] and [context.DeadlineExceeded] in it when the caller's own context, or the
// request's timeout_ms, ended the call, and not when a provider was too slow.
type Error struct {
	// Kind is the gateway's word for what happened, such as "provider_rate_limited". This client adds three of its own:
	//
	//   - not_sent: the call never left, because its key could not be had. Nothing was spent.
	//   - gateway_unreachable: no gateway answered: nothing listens there, the network failed, or something else
	//     answered, such as a proxy.
	//   - connection_lost: the connection to the gateway broke after a stream's first event.
	//
	// "cancelled" and "deadline_exceeded" come from the gateway or from here, whichever noticed first.
	Kind string
	// Code is the status of the protocol.
	Code connect.Code
	// Message is for people.
	Message string
	// RequestID finds the call in the gateway's log, whether or not it was answered.
	RequestID string
	// Receipt says what was spent all the same. Nil when no provider was called, and when the answer broke off
	// before the receipt came.
	Receipt *v1.Receipt
	// RetryAfter is how long to wait before it is worth trying again; nil when the gateway does not say that it is.
	RetryAfter *time.Duration
	// Violations are the fields of the request that are wrong.
	Violations []*errdetails.BadRequest_FieldViolation
	// Previous are the failures of the attempts before this one that were made again, oldest first; each has its own
	// receipt.
	Previous []*Error

	cause *connect.Error
}

// ErrorFrom reads an error of the generated Connect client, for those who use it without [Client]. It is nil for nil.
// For grpc-go there is package grpcerror.
func ErrorFrom(err error) *Error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	cause := connectError(err)
	failure := &Error{
		Code:      cause.Code(),
		Message:   cause.Message(),
		RequestID: cause.Meta().Get(requestIDHeader),
		cause:     cause,
	}
	for _, detail := range cause.Details() {
		// A detail of a type that is not known here is one from the future.
		if message, err := detail.Value(); err == nil {
			failure.add(message)
		}
	}
	failure.complete()
	return failure
}

// Error has the code, the kind, the message and the request's id.
func (e *Error) Error() string {
	text := "llmgateway: " + e.Code.String()
	if e.Kind != "" {
		text += " (" + e.Kind + ")"
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.RequestID != "" {
		text += " [request " + e.RequestID + "]"
	}
	return text
}

// Unwrap gives the [*connect.Error], with its headers and details.
func (e *Error) Unwrap() error {
	if e.cause == nil {
		return nil
	}
	return e.cause
}

// Is tells whether the caller's own context, or the request's time limit, ended the call.
func (e *Error) Is(target error) bool {
	switch target {
	case context.Canceled:
		return e.Kind == kindCancelled
	case context.DeadlineExceeded:
		return e.Kind == kindDeadlineExceeded
	default:
		return false
	}
}

// newError reads an error of a call that was made with ctx, and given this id. The kind is the one to have when the
// gateway told none.
func newError(ctx context.Context, err error, requestID, kind string) *Error {
	failure := ErrorFrom(settle(ctx, err))
	if failure.Kind == "" {
		failure.Kind = kind
	}
	if failure.RequestID == "" {
		failure.RequestID = requestID
	}
	return failure
}

// settle says what happened on this side. Connect takes a connection that the peer reset for a caller who left, and
// may tell an error of the connection when it was the caller who ended it.
func settle(ctx context.Context, err error) error {
	if connect.IsWireError(err) {
		return err
	}
	switch ended := ctx.Err(); {
	case errors.Is(ended, context.DeadlineExceeded):
		return connect.NewError(connect.CodeDeadlineExceeded, ended)
	case ended != nil:
		return connect.NewError(connect.CodeCanceled, ended)
	case connect.CodeOf(err) == connect.CodeCanceled && !errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeUnavailable, fmt.Errorf("the connection broke: %s", connectError(err).Message()))
	default:
		return err
	}
}

func connectError(err error) *connect.Error {
	if known, ok := errors.AsType[*connect.Error](err); ok {
		return known
	}
	switch {
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, err)
	case errors.Is(err, context.DeadlineExceeded):
		return connect.NewError(connect.CodeDeadlineExceeded, err)
	default:
		return connect.NewError(connect.CodeUnknown, err)
	}
}

func (e *Error) add(detail any) {
	switch detail := detail.(type) {
	case *errdetails.ErrorInfo:
		// What stands before a gateway may have words of its own.
		if detail.GetDomain() == errorDomain {
			e.Kind = detail.GetReason()
		}
	case *errdetails.RetryInfo:
		e.RetryAfter = retryAfter(detail)
	case *errdetails.BadRequest:
		e.Violations = detail.GetFieldViolations()
	case *v1.Receipt:
		e.Receipt = detail
	}
}

// addEvent adds what a stream's last event said and its status did not repeat.
func (e *Error) addEvent(event *v1.StreamError) {
	if event == nil {
		return
	}
	e.Kind, e.Message, e.Receipt = event.GetKind(), event.GetMessage(), event.GetReceipt()
	e.RetryAfter = retryAfter(event.GetRetryInfo())
	e.complete()
}

// complete gives what the details left open: a caller who ends a call names no kind, and a receipt has the id.
func (e *Error) complete() {
	if e.Kind == "" && e.Code == connect.CodeCanceled {
		e.Kind = kindCancelled
	}
	if e.Kind == "" && e.Code == connect.CodeDeadlineExceeded {
		e.Kind = kindDeadlineExceeded
	}
	if e.RequestID == "" {
		e.RequestID = e.Receipt.GetRequestId()
	}
}

func retryAfter(info *errdetails.RetryInfo) *time.Duration {
	if info.GetRetryDelay() == nil {
		return nil
	}
	return new(info.GetRetryDelay().AsDuration())
}

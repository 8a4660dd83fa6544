package llmgateway_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

func TestErrorTellsAllThatTheGatewaySaid(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		_, err := client.Chat(patient(t), ask("[[emulate: status=429 retry_after=2]] Hello"))
		failure, ok := errors.AsType[*llmgateway.Error](err)
		if !ok {
			t.Fatalf("failed with %T: %v", err, err)
		}
		if failure.Kind != "provider_rate_limited" || failure.Code != connect.CodeResourceExhausted {
			t.Errorf("failed with %v", failure)
		}
		if failure.RetryAfter == nil || *failure.RetryAfter != 2*time.Second {
			t.Errorf("retry after %v", failure.RetryAfter)
		}
		if attempts := failure.Receipt.GetAttempts(); len(attempts) != 1 || attempts[0].GetOutcome() != "failed" {
			t.Errorf("the receipt is %v", failure.Receipt)
		}
		if failure.RequestID == "" || failure.RequestID != failure.Receipt.GetRequestId() {
			t.Errorf("id %q, in the receipt %q", failure.RequestID, failure.Receipt.GetRequestId())
		}
		if _, ok := errors.AsType[*connect.Error](err); !ok {
			t.Error("there is no *connect.Error in it")
		}
		for _, part := range []string{"resource_exhausted", failure.Kind, failure.Message, failure.RequestID} {
			if part == "" || !strings.Contains(err.Error(), part) {
				t.Errorf("%q is not in %q", part, err)
			}
		}
	})
}

func TestErrorNamesTheFieldsThatAreWrong(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		_, err := client.Chat(patient(t), &v1.ChatRequest{Model: "openai/gpt-4o"})
		failure, ok := errors.AsType[*llmgateway.Error](err)
		if !ok || failure.Kind != "invalid_request" || failure.Receipt != nil || failure.RetryAfter != nil {
			t.Fatalf("failed with %v", err)
		}
		if len(failure.Violations) != 1 || failure.Violations[0].GetField() != "messages" {
			t.Errorf("violations %v", failure.Violations)
		}
	})
}

func TestDeadlineOfTheCaller(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		ctx, cancel := context.WithTimeout(patient(t), 300*time.Millisecond)
		defer cancel()
		_, err := client.Chat(ctx, ask("[[emulate: delay_ms=10000]] Hello"))
		failure, ok := errors.AsType[*llmgateway.Error](err)
		if !ok || failure.Code != connect.CodeDeadlineExceeded || failure.Kind != "deadline_exceeded" || failure.RequestID == "" {
			t.Errorf("failed with %v", err)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error("it is not context.DeadlineExceeded")
		}
	})
}

func TestTimeLimitInTheRequestIsTheCallersToo(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		request := ask("[[emulate: delay_ms=10000]] Hello")
		request.TimeoutMs = new(int32(100))
		_, err := client.Chat(patient(t), request)
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			t.Errorf("failed with %v", err)
		}
	})
}

func TestCancelledCall(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		ctx, cancel := context.WithCancel(patient(t))
		time.AfterFunc(100*time.Millisecond, cancel)
		_, err := client.Stream(ctx, ask("[[emulate: delay_ms=10000]] Hello"))
		if !errors.Is(err, context.Canceled) || connect.CodeOf(err) != connect.CodeCanceled {
			t.Errorf("failed with %v", err)
		}
	})
}

func TestProviderThatIsTooSlowIsNotTheCallersDeadline(t *testing.T) {
	err := llmgateway.ErrorFrom(connect.NewError(connect.CodeDeadlineExceeded, context.DeadlineExceeded))
	if err.Kind != "deadline_exceeded" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's own is %v", err)
	}
	slow := outcome{err: failureWith(t, connect.CodeDeadlineExceeded, errorInfo("provider_timeout"))}
	_, failed := newClient(t, serveScript(t, slow).url).Chat(patient(t), ask("Hello"))
	if connect.CodeOf(failed) != connect.CodeDeadlineExceeded || errors.Is(failed, context.DeadlineExceeded) {
		t.Errorf("failed with %v", failed)
	}
}

func TestBrokenConnectionIsNotACallerWhoLeft(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			// Reads some, so that the caller waits for the answer, and then resets the connection.
			_, _ = connection.Read(make([]byte, 1))
			_ = connection.(*net.TCPConn).SetLinger(0)
			_ = connection.Close()
		}
	}()
	_, err = newClient(t, "http://"+listener.Addr().String()).Chat(patient(t), ask("Hello"))
	failure, ok := errors.AsType[*llmgateway.Error](err)
	if !ok || failure.Code != connect.CodeUnavailable || failure.Kind != "gateway_unreachable" || failure.RequestID == "" {
		t.Errorf("failed with %v", err)
	}
}

func TestWordOfAProxyIsNoKindOfTheGateway(t *testing.T) {
	proxy := outcome{err: failureWith(t, connect.CodeUnavailable, &errdetails.ErrorInfo{Reason: "NO_UPSTREAM", Domain: "proxy"})}
	_, err := newClient(t, serveScript(t, proxy).url).Chat(patient(t), ask("Hello"))
	if failure := llmgateway.ErrorFrom(err); failure.Kind != "gateway_unreachable" || failure.Code != connect.CodeUnavailable {
		t.Errorf("failed with %v", err)
	}
}

func TestWordOfTheGatewayStands(t *testing.T) {
	gone := outcome{err: failureWith(t, connect.CodeCanceled, errorInfo("cancelled"))}
	_, err := newClient(t, serveScript(t, gone).url).Chat(patient(t), ask("Hello"))
	if failure := llmgateway.ErrorFrom(err); failure.Code != connect.CodeCanceled || failure.Kind != "cancelled" {
		t.Errorf("failed with %v", err)
	}
}

func TestErrorFrom(t *testing.T) {
	if llmgateway.ErrorFrom(nil) != nil {
		t.Error("nil is a failure")
	}
	known := &llmgateway.Error{Kind: "cut"}
	if llmgateway.ErrorFrom(known) != known || known.Unwrap() != nil {
		t.Error("a failure is not itself")
	}
	for err, code := range map[error]connect.Code{
		context.Canceled:         connect.CodeCanceled,
		context.DeadlineExceeded: connect.CodeDeadlineExceeded,
		net.ErrClosed:            connect.CodeUnknown,
	} {
		if failure := llmgateway.ErrorFrom(err); failure.Code != code || !errors.Is(failure, err) {
			t.Errorf("%v is %v", err, failure)
		}
	}
}

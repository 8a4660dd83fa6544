package llmgateway_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
	"github.com/llmgateway/llmgateway/gen/go/llmgateway/v1/llmgatewayv1connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// outcome is what one call comes to: events, and then an error if there is one.
type outcome struct {
	events []*v1.StreamResponse
	// Nothing follows the events until the caller leaves.
	held bool
	err  error
}

// scripted is a server on loopback whose calls come to what the test wrote down, one after the other; the last one
// again and again. It stands in for a gateway where a test needs an order of failures that a live one does not give.
type scripted struct {
	llmgatewayv1connect.UnimplementedGatewayServiceHandler
	url         string
	connections atomic.Int32
	// The version of HTTP that the last call came by.
	major atomic.Int32
	// Gets a value when a caller leaves a call that is held.
	left chan struct{}

	mutex    sync.Mutex
	outcomes []outcome
	headers  []http.Header
}

func serveScript(t *testing.T, outcomes ...outcome) *scripted {
	script := &scripted{outcomes: outcomes, left: make(chan struct{}, 1)}
	_, handler := llmgatewayv1connect.NewGatewayServiceHandler(script)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(reply http.ResponseWriter, request *http.Request) {
		script.major.Store(int32(request.ProtoMajor))
		handler.ServeHTTP(reply, request)
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			script.connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	script.url = server.URL
	return script
}

func (s *scripted) Chat(
	_ context.Context,
	request *connect.Request[v1.ChatRequest],
) (*connect.Response[v1.ChatResponse], error) {
	next := s.next(request.Header())
	if next.err != nil {
		return nil, next.err
	}
	return connect.NewResponse(&v1.ChatResponse{Response: next.events[0].GetToken()}), nil
}

func (s *scripted) Stream(
	ctx context.Context,
	request *connect.Request[v1.ChatRequest],
	stream *connect.ServerStream[v1.StreamResponse],
) error {
	next := s.next(request.Header())
	for _, event := range next.events {
		if err := stream.Send(event); err != nil {
			return err
		}
	}
	if next.held {
		<-ctx.Done()
		s.left <- struct{}{}
	}
	return next.err
}

func (s *scripted) next(header http.Header) outcome {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.headers = append(s.headers, header.Clone())
	return s.outcomes[min(len(s.headers), len(s.outcomes))-1]
}

func (s *scripted) calls() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.headers)
}

// lastHeader is nil when there was no call.
func (s *scripted) lastHeader() http.Header {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.headers) == 0 {
		return nil
	}
	return s.headers[len(s.headers)-1]
}

func answerOf(text string) outcome {
	return outcome{events: []*v1.StreamResponse{{Token: new(text)}, {Done: new(true)}}}
}

// busy fails as a gateway does that is worth asking again after a while.
func busy(t *testing.T, after time.Duration, spentPicoUSD int64) outcome {
	return outcome{err: failureWith(t, connect.CodeResourceExhausted,
		errorInfo("rate_limited"),
		&errdetails.RetryInfo{RetryDelay: durationpb.New(after)},
		&v1.Receipt{Cost: &v1.Cost{ActualPicoUsd: new(spentPicoUSD)}},
	)}
}

func errorInfo(kind string) *errdetails.ErrorInfo {
	return &errdetails.ErrorInfo{Reason: kind, Domain: "llmgateway"}
}

func failureWith(t *testing.T, code connect.Code, details ...proto.Message) *connect.Error {
	t.Helper()
	failure := connect.NewError(code, nil)
	for _, message := range details {
		detail, err := connect.NewErrorDetail(message)
		if err != nil {
			t.Fatal(err)
		}
		failure.AddDetail(detail)
	}
	return failure
}

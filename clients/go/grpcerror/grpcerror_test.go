package grpcerror_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"testing"
	"time"

	"connectrpc.com/connect"
	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	"github.com/llmgateway/llmgateway/clients/go/grpcerror"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// A gateway is called when the environment names one; TestMain of the client's package says when it does not.
func TestFromTellsAllThatTheGatewaySaid(t *testing.T) {
	address := os.Getenv("LLMGATEWAY_TEST_URL")
	if address == "" {
		return
	}
	base, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	connection, err := grpc.NewClient(base.Host,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(bearer(os.Getenv("LLMGATEWAY_TEST_KEY"))))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = v1.NewGatewayServiceClient(connection).Chat(ctx, &v1.ChatRequest{
		Model:    "openai/gpt-4o",
		Messages: []*v1.Message{{Role: "user", Content: "[[emulate: status=429 retry_after=2]] Hello"}},
	})
	failure := grpcerror.From(err)
	if failure.Kind != "provider_rate_limited" || failure.Code != connect.CodeResourceExhausted {
		t.Errorf("failed with %v", failure)
	}
	if failure.RetryAfter == nil || *failure.RetryAfter != 2*time.Second {
		t.Errorf("retry after %v", failure.RetryAfter)
	}
	if failure.Receipt == nil || failure.RequestID != failure.Receipt.GetRequestId() {
		t.Errorf("id %q, receipt %v", failure.RequestID, failure.Receipt)
	}
	if failure.Message == "" || failure.Message != status.Convert(err).Message() {
		t.Errorf("message %q", failure.Message)
	}
}

func TestFromTakesEveryError(t *testing.T) {
	if grpcerror.From(nil) != nil {
		t.Error("nil is a failure")
	}
	if failure := grpcerror.From(context.Canceled); failure.Code != connect.CodeCanceled {
		t.Errorf("context.Canceled is %v", failure)
	}
	late := grpcerror.From(status.FromContextError(context.DeadlineExceeded).Err())
	if late.Code != connect.CodeDeadlineExceeded || !errors.Is(late, context.DeadlineExceeded) {
		t.Errorf("a deadline is %v", late)
	}
	known := &llmgateway.Error{Kind: "cut"}
	if grpcerror.From(known) != known {
		t.Error("a failure is not itself")
	}
}

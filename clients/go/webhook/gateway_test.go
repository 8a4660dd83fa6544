package webhook_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	"github.com/llmgateway/llmgateway/clients/go/webhook"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

const (
	urlVariable = "LLMGATEWAY_TEST_URL"
	keyVariable = "LLMGATEWAY_TEST_KEY"
	// Has what the gateway signs its webhooks with.
	secretVariable = "LLMGATEWAY_TEST_SECRET"
	patience       = 20 * time.Second
)

func TestMain(m *testing.M) {
	if os.Getenv(urlVariable) == "" {
		fmt.Println(urlVariable, "is not set, so no webhook of a gateway is read; `npx vitest run test/clients/go` starts one")
		if os.Getenv("CI") == "true" {
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func TestVerifyReadsWhatAGatewaySent(t *testing.T) {
	url := os.Getenv(urlVariable)
	if url == "" {
		return
	}
	for _, protocol := range []llmgateway.Protocol{llmgateway.Connect, llmgateway.GRPC, llmgateway.GRPCWeb} {
		key := llmgateway.WithAPIKey(os.Getenv(keyVariable))
		client, err := llmgateway.New(url, key, llmgateway.WithProtocol(protocol))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		callbackURL, payloads := receive(t)
		reply, err := client.SubmitAndWait(ctx, &v1.SubmitJobRequest{
			Model:       "openai/gpt-4o",
			Messages:    []*v1.Message{{Role: "user", Content: "Hello"}},
			CallbackUrl: callbackURL,
		})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(reply.GetResponse(), "This is the answer") || reply.GetCost().GetActualUsd() <= 0 {
			t.Errorf("got %v", reply)
		}
		select {
		case payload := <-payloads:
			if payload.Type != "job.completed" || payload.Result.GetResponse() != reply.GetResponse() {
				t.Errorf("told %v", payload)
			}
		case <-ctx.Done():
			t.Error("its end was not told")
		}
	}
}

func receive(t *testing.T) (url string, payloads <-chan *webhook.Payload) {
	verified := make(chan *webhook.Payload, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Error(err)
		}
		payload, err := webhook.Verify(body, request.Header, os.Getenv(secretVariable))
		if err != nil {
			t.Error(err)
			writer.WriteHeader(http.StatusUnauthorized)
			return
		}
		verified <- payload
	}))
	t.Cleanup(receiver.Close)
	return receiver.URL, verified
}

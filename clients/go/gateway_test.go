package llmgateway_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

const (
	urlVariable = "LLMGATEWAY_TEST_URL"
	keyVariable = "LLMGATEWAY_TEST_KEY"
	// Bounds every call of a test; none comes near it.
	patience = 20 * time.Second
)

var protocols = map[string]llmgateway.Protocol{
	"connect":  llmgateway.Connect,
	"grpc":     llmgateway.GRPC,
	"grpc-web": llmgateway.GRPCWeb,
}

func TestMain(m *testing.M) {
	if os.Getenv(urlVariable) == "" {
		fmt.Println(urlVariable, "is not set, so no gateway is called; `npx vitest run test/clients/go` starts one")
		if os.Getenv("CI") == "true" {
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// atGateway runs a test over each protocol, with a client for the gateway that the environment names. It does nothing
// when there is none, which TestMain has said.
func atGateway(t *testing.T, test func(t *testing.T, client *llmgateway.Client), options ...llmgateway.Option) {
	url := os.Getenv(urlVariable)
	if url == "" {
		return
	}
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := llmgateway.WithAPIKey(os.Getenv(keyVariable))
			test(t, newClient(t, url, append([]llmgateway.Option{key, llmgateway.WithProtocol(protocol)}, options...)...))
		})
	}
}

func newClient(t *testing.T, url string, options ...llmgateway.Option) *llmgateway.Client {
	t.Helper()
	client, err := llmgateway.New(url, options...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func ask(content string) *v1.ChatRequest {
	return &v1.ChatRequest{
		Model:    "openai/gpt-4o",
		Messages: []*v1.Message{{Role: "user", Content: content}},
	}
}

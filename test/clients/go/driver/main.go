// Command driver calls a gateway in each way that a Go program can, and prints what it saw: one JSON line for each
// scenario. The test that starts it compares the lines with those of other clients and with the gateway's log.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

// patience bounds a scenario; none comes near it.
const patience = 15 * time.Second

// caller is one way to call the gateway.
type caller interface {
	chat(ctx context.Context, request *v1.ChatRequest) (*v1.ChatResponse, error)
	// stream hands each event to see, which may cancel ctx.
	stream(ctx context.Context, request *v1.ChatRequest, see func(*v1.StreamResponse)) error
	failure(err error) *llmgateway.Error
}

// line is what a scenario came to. The costs are decimal, because JSON's numbers are doubles.
type line struct {
	Scenario     string `json:"scenario"`
	Client       string `json:"client"`
	RequestID    string `json:"request_id"`
	OK           bool   `json:"ok"`
	Detail       string `json:"detail,omitempty"`
	Text         string `json:"text,omitempty"`
	CostPicoUSD  string `json:"cost_pico_usd,omitempty"`
	Kind         string `json:"kind,omitempty"`
	Code         string `json:"code,omitempty"`
	RetryAfterMS *int64 `json:"retry_after_ms,omitempty"`
	Receipt      bool   `json:"receipt,omitempty"`
	ToolName     string `json:"tool_name,omitempty"`
	ToolArgs     string `json:"tool_arguments,omitempty"`
	Turns        []turn `json:"turns,omitempty"`
}

func main() {
	url := flag.String("url", "", "the gateway's address")
	client := flag.String("client", "connect", "connect, grpc, grpc-web or grpc-go")
	only := flag.String("scenario", "all", "the name of one, or all of those that every client does")
	flag.StringVar(&model, "model", model, "who answers")
	flag.Parse()
	if err := run(*url, *client, *only); err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		os.Exit(2)
	}
}

func run(url, client, only string) error {
	call, err := newCaller(client, url)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	known := false
	for _, scenario := range scenarios {
		if only != scenario.name && (only != "all" || scenario.extra) {
			continue
		}
		known = true
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		result := line{Scenario: scenario.name, Client: client, RequestID: uuid()}
		scenario.run(ctx, call, &result)
		cancel()
		result.OK = result.Detail == ""
		if err := out.Encode(result); err != nil {
			return err
		}
	}
	if !known {
		return fmt.Errorf("there is no scenario %q", only)
	}
	return nil
}

// uuid is a random one, of version 4.
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

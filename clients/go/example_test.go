package llmgateway_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

func ExampleClient_Chat() {
	client, err := llmgateway.New("http://localhost:8080", llmgateway.WithAPIKey(os.Getenv("LLMGATEWAY_API_KEY")))
	if err != nil {
		log.Fatal(err)
	}
	reply, err := client.Chat(context.Background(), &v1.ChatRequest{
		Model:    "openai/gpt-4o",
		Messages: []*v1.Message{{Role: "user", Content: "Hello"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.GetResponse())
	if usd := reply.GetCost().ActualUsd; usd != nil {
		fmt.Println("it cost", *usd)
	}
}

func ExampleClient_Stream() {
	client, err := llmgateway.New("http://localhost:8080")
	if err != nil {
		log.Fatal(err)
	}
	// Cancelling it ends the provider's work at once.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stream, err := client.Stream(ctx, &v1.ChatRequest{
		Model:    "openai/gpt-4o",
		Messages: []*v1.Message{{Role: "user", Content: "Tell me a story"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range stream.All() {
		if err != nil {
			log.Print(err)
			break
		}
		fmt.Print(event.GetToken())
	}
	if usd, known := stream.CostUSD(); known {
		fmt.Println("\nit cost", usd)
	}
}

func ExampleError() {
	client, err := llmgateway.New("http://localhost:8080")
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Chat(context.Background(), &v1.ChatRequest{Model: "openai/gpt-4o"})
	failure, ok := errors.AsType[*llmgateway.Error](err)
	if !ok {
		return
	}
	switch failure.Kind {
	case "invalid_request":
		for _, violation := range failure.Violations {
			fmt.Println(violation.GetField(), violation.GetDescription())
		}
	case "rate_limited", "provider_rate_limited":
		fmt.Println("worth trying again in", failure.RetryAfter)
	default:
		fmt.Println(failure, failure.Receipt.GetCost().GetActualUsd())
	}
}

func ExampleWithRetry() {
	retry := llmgateway.WithRetry(llmgateway.RetryPolicy{
		MaxWait: 10 * time.Second,
		OnRetry: func(_ context.Context, failure *llmgateway.Error) {
			log.Println("trying again in", *failure.RetryAfter, "after", failure, failure.Receipt.GetCost())
		},
	})
	if _, err := llmgateway.New("http://localhost:8080", retry); err != nil {
		log.Fatal(err)
	}
}

// gRPC with certificates of one's own.
func ExampleNewTransport() {
	transport := llmgateway.NewTransport(llmgateway.GRPC)
	transport.TLSClientConfig = &tls.Config{ServerName: "llm.internal"}
	_, err := llmgateway.New("https://llm.example.com",
		llmgateway.WithProtocol(llmgateway.GRPC),
		llmgateway.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		log.Fatal(err)
	}
}

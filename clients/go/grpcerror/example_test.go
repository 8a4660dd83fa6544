package grpcerror_test

import (
	"context"
	"fmt"
	"log"

	"github.com/llmgateway/llmgateway/clients/go/grpcerror"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// bearer is an API key as grpc-go sends one with each call.
type bearer string

func (key bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if key == "" {
		return nil, nil
	}
	return map[string]string{"authorization": "Bearer " + string(key)}, nil
}

// RequireTransportSecurity lets the key go over plain HTTP, inside a network that is trusted. Return true elsewhere.
func (bearer) RequireTransportSecurity() bool { return false }

// The generated stubs of grpc-go, without the client of this module.
func ExampleFrom() {
	connection, err := grpc.NewClient("localhost:8080",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(bearer("the key")))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	gateway := v1.NewGatewayServiceClient(connection)

	reply, err := gateway.Chat(context.Background(), &v1.ChatRequest{
		Model:    "openai/gpt-4o",
		Messages: []*v1.Message{{Role: "user", Content: "Hello"}},
	})
	if failure := grpcerror.From(err); failure != nil {
		log.Fatalln(failure.Kind, failure.Message, failure.Receipt.GetCost().GetActualUsd())
	}
	fmt.Println(reply.GetResponse(), reply.GetCost().GetActualUsd())
}

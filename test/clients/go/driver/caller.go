package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	"github.com/llmgateway/llmgateway/clients/go/grpcerror"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

func newCaller(name, address string) (caller, error) {
	protocols := map[string]llmgateway.Protocol{
		"connect":  llmgateway.Connect,
		"grpc":     llmgateway.GRPC,
		"grpc-web": llmgateway.GRPCWeb,
	}
	if protocol, ok := protocols[name]; ok {
		client, err := llmgateway.New(address, llmgateway.WithProtocol(protocol))
		return byClient{client}, err
	}
	if name != "grpc-go" {
		return nil, fmt.Errorf("there is no client %q", name)
	}
	base, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	connection, err := grpc.NewClient(base.Host, grpc.WithTransportCredentials(insecure.NewCredentials()))
	return byStub{v1.NewGatewayServiceClient(connection)}, err
}

// withRequestID names the call for both kinds of caller.
func withRequestID(ctx context.Context, id string) context.Context {
	return metadata.AppendToOutgoingContext(llmgateway.WithRequestID(ctx, id), "x-request-id", id)
}

// byClient calls by this repository's client.
type byClient struct{ *llmgateway.Client }

func (c byClient) chat(ctx context.Context, request *v1.ChatRequest) (*v1.ChatResponse, error) {
	return c.Chat(ctx, request)
}

func (c byClient) stream(ctx context.Context, request *v1.ChatRequest, see func(*v1.StreamResponse)) error {
	stream, err := c.Stream(ctx, request)
	if err != nil {
		return err
	}
	for event, err := range stream.All() {
		if err != nil {
			return err
		}
		see(event)
	}
	return nil
}

func (byClient) failure(err error) *llmgateway.Error { return llmgateway.ErrorFrom(err) }

// byStub calls by the generated stubs of grpc-go alone.
type byStub struct{ v1.GatewayServiceClient }

func (s byStub) chat(ctx context.Context, request *v1.ChatRequest) (*v1.ChatResponse, error) {
	return s.Chat(ctx, request)
}

func (s byStub) stream(ctx context.Context, request *v1.ChatRequest, see func(*v1.StreamResponse)) error {
	stream, err := s.Stream(ctx, request)
	if err != nil {
		return err
	}
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		see(event)
	}
}

func (byStub) failure(err error) *llmgateway.Error { return grpcerror.From(err) }

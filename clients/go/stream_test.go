package llmgateway_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"connectrpc.com/connect"
	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

func TestStreamGivesTheWordsAndTheReceipt(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		stream, err := client.Stream(patient(t), ask("Hello"))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		var costs []int64
		var last *v1.StreamResponse
		for event, err := range stream.All() {
			if err != nil {
				t.Fatal(err)
			}
			text.WriteString(event.GetToken())
			if pico, known := stream.CostPicoUSD(); known {
				costs = append(costs, pico)
			}
			last = event
		}
		if !strings.HasPrefix(text.String(), `This is the answer to "Hello".`) {
			t.Errorf("answered %q", text.String())
		}
		if len(costs) < 10 || costs[0] <= 0 || costs[0] >= costs[len(costs)-1] {
			t.Errorf("the running costs were %v", costs)
		}
		if !last.GetDone() || stream.Err() != nil {
			t.Errorf("ended with %v and %v", last, stream.Err())
		}
		if usd, known := stream.CostUSD(); !known || usd != 0.00032 {
			t.Errorf("cost %v, known: %v", usd, known)
		}
		if pico := stream.Receipt().GetCost().GetActualPicoUsd(); pico != 320_000_000 {
			t.Errorf("the receipt has %d", pico)
		}
		if id := stream.RequestID(); id == "" || id != stream.Receipt().GetRequestId() {
			t.Errorf("id %q, in the receipt %q", id, stream.Receipt().GetRequestId())
		}
		if stream.Receive() || stream.Event() != nil {
			t.Error("there was more behind the end")
		}
	})
}

func TestStreamThatBreaksOffTellsKindAndReceipt(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		stream, err := client.Stream(patient(t), ask("[[emulate: cut=2]] Hello"))
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		var words int
		for stream.Receive() {
			words++
		}
		failure, ok := errors.AsType[*llmgateway.Error](stream.Err())
		if !ok || failure.Kind != "cut" || failure.Code != connect.CodeUnavailable {
			t.Fatalf("failed with %v", stream.Err())
		}
		if words != 2 {
			t.Errorf("%d words came before", words)
		}
		spent := failure.Receipt.GetCost().GetActualPicoUsd()
		if spent <= 0 || failure.Receipt != stream.Receipt() {
			t.Errorf("the receipt is %v", failure.Receipt)
		}
		if pico, known := stream.CostPicoUSD(); !known || pico != spent {
			t.Errorf("cost %d, known: %v; the receipt has %d", pico, known, spent)
		}
	})
}

func TestStreamErrorEventSpeaksForAStatusWithoutDetails(t *testing.T) {
	receipt := &v1.Receipt{RequestId: "r-1", Cost: &v1.Cost{}}
	server := serveScript(t, outcome{
		events: []*v1.StreamResponse{
			{Token: new("He"), CostPicoUsd: new(int64(7))},
			{Error: &v1.StreamError{Kind: "cut", Message: "the connection broke", Receipt: receipt}},
		},
		err: connect.NewError(connect.CodeUnavailable, nil),
	})
	stream, err := newClient(t, server.url).Stream(patient(t), ask("Hello"))
	if err != nil {
		t.Fatal(err)
	}
	var words int
	for range stream.All() {
		words++
	}
	failure, ok := errors.AsType[*llmgateway.Error](stream.Err())
	if !ok || failure.Kind != "cut" || failure.Message != "the connection broke" || failure.Receipt.GetRequestId() != "r-1" {
		t.Fatalf("failed with %v", stream.Err())
	}
	if words != 2 {
		t.Errorf("one word and the error were %d", words)
	}
	if pico, known := stream.CostPicoUSD(); known {
		t.Errorf("a cost that the receipt does not know is %d", pico)
	}
}

func TestStreamWithoutALastEventIsAFailure(t *testing.T) {
	server := serveScript(t, outcome{events: []*v1.StreamResponse{{Token: new("He")}}})
	stream, err := newClient(t, server.url).Stream(patient(t), ask("Hello"))
	if err != nil {
		t.Fatal(err)
	}
	for range stream.All() {
	}
	failure := llmgateway.ErrorFrom(stream.Err())
	if failure == nil || failure.Code != connect.CodeInternal || failure.Kind != "connection_lost" {
		t.Errorf("ended with %v", stream.Err())
	}
}

func TestStreamThatFailsAtOnceIsNone(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		_, err := client.Stream(patient(t), ask("[[emulate: status=500]] Hello"))
		failure, ok := errors.AsType[*llmgateway.Error](err)
		if !ok || failure.Kind != "provider_error" || failure.Receipt == nil {
			t.Errorf("failed with %v", err)
		}
	})
}

func TestCancelledStreamKeepsTheRunningCost(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		ctx, cancel := context.WithCancel(patient(t))
		stream, err := client.Stream(ctx, ask("[[emulate: tokens=1000 interval_ms=50]] Hello"))
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		if !stream.Receive() {
			t.Fatal(stream.Err())
		}
		cancel()
		for stream.Receive() {
		}
		failure, ok := errors.AsType[*llmgateway.Error](stream.Err())
		if !ok || failure.Code != connect.CodeCanceled || failure.Kind != "cancelled" || !errors.Is(failure, context.Canceled) {
			t.Errorf("ended with %v", stream.Err())
		}
		if failure.RequestID == "" || failure.RequestID != stream.RequestID() {
			t.Errorf("the failure has the id %q, the stream %q", failure.RequestID, stream.RequestID())
		}
		if pico, known := stream.CostPicoUSD(); !known || pico <= 0 {
			t.Errorf("cost %d, known: %v", pico, known)
		}
	})
}

func TestClosedStreamEndsWithoutAnError(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		stream, err := client.Stream(patient(t), ask("[[emulate: tokens=1000 interval_ms=50]] Hello"))
		if err != nil {
			t.Fatal(err)
		}
		for range stream.All() {
			break
		}
		stream.Close()
		if stream.Receive() || stream.Err() != nil {
			t.Errorf("went on, or ended with %v", stream.Err())
		}
		if pico, known := stream.CostPicoUSD(); !known || pico <= 0 {
			t.Errorf("cost %d, known: %v", pico, known)
		}
	})
}

func TestCloseEndsTheCallAtTheGateway(t *testing.T) {
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			server := serveScript(t, outcome{events: []*v1.StreamResponse{{Token: new("He")}}, held: true})
			ctx := patient(t)
			stream, err := newClient(t, server.url, llmgateway.WithProtocol(protocol)).Stream(ctx, ask("Hello"))
			if err != nil {
				t.Fatal(err)
			}
			stream.Close()
			select {
			case <-server.left:
			case <-ctx.Done():
				t.Error("the call went on")
			}
		})
	}
}

func TestAnIDThatTheGatewayDoesNotTakeIsReplaced(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		ctx := llmgateway.WithRequestID(patient(t), "not, an id")
		stream, err := client.Stream(ctx, ask("Hello"))
		if err != nil {
			t.Fatal(err)
		}
		for range stream.All() {
		}
		if id := stream.RequestID(); id != stream.Receipt().GetRequestId() {
			t.Errorf("id %q, in the receipt %q", id, stream.Receipt().GetRequestId())
		}
	})
}

func TestFinishedStreamGivesItsConnectionBack(t *testing.T) {
	server := serveScript(t, answerOf("Hello"))
	client := newClient(t, server.url)
	for range 3 {
		stream, err := client.Stream(patient(t), ask("Hello"))
		if err != nil {
			t.Fatal(err)
		}
		for range stream.All() {
		}
	}
	if opened := server.connections.Load(); opened != 1 {
		t.Errorf("%d connections were opened", opened)
	}
}

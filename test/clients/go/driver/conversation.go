package main

import (
	"context"

	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

// A turn is one answer of a conversation, in a form that is the same for every provider.
type turn struct {
	RequestID    string `json:"request_id"`
	Text         string `json:"text"`
	FinishReason string `json:"finish_reason"`
	Tool         string `json:"tool"`
	Arguments    string `json:"arguments"`
	Provenance   string `json:"provenance"`
	CostPicoUSD  string `json:"cost_pico_usd"`
}

// An answer is what one call brought: the message to be sent back, and how it ended.
type answer struct {
	message      *v1.Message
	calls        []*v1.ToolCall
	finishReason string
	cost         *v1.Cost
}

type asking func(ctx context.Context, call caller, request *v1.ChatRequest) (*answer, error)

// converse asks something that needs a tool, plays the tool, and hears the answer.
func converse(ask asking) func(context.Context, caller, *line) {
	return func(ctx context.Context, call caller, result *line) {
		request := &v1.ChatRequest{
			Model: model,
			Messages: []*v1.Message{
				{Role: "system", Content: "You are brief."},
				{Role: "user", Content: "Call get_weather for Paris"},
			},
			Tools: []*v1.Tool{{Name: "get_weather", ParametersJson: weatherParameters}},
		}
		for range 2 {
			id := uuid()
			reply, err := ask(withRequestID(ctx, id), call, request)
			if err != nil {
				result.fail(call, err)
				return
			}
			result.Turns = append(result.Turns, turnOf(id, reply))
			request.Messages = append(request.Messages, reply.message)
			for _, made := range reply.calls {
				request.Messages = append(request.Messages, resultOf(made))
			}
		}
	}
}

func turnOf(id string, reply *answer) turn {
	told := line{}
	told.charge(reply.cost)
	result := turn{
		RequestID:    id,
		Text:         reply.message.GetContent(),
		FinishReason: reply.finishReason,
		Provenance:   reply.cost.GetProvenance(),
		CostPicoUSD:  told.CostPicoUSD,
	}
	if len(reply.calls) == 1 {
		result.Tool, result.Arguments = reply.calls[0].GetName(), reply.calls[0].GetArguments()
	}
	return result
}

func resultOf(call *v1.ToolCall) *v1.Message {
	result := &v1.ToolResult{ToolCallId: call.GetId(), Content: "sunny"}
	return &v1.Message{Role: "tool", Parts: []*v1.Part{{Part: &v1.Part_ToolResult{ToolResult: result}}}}
}

func askWhole(ctx context.Context, call caller, request *v1.ChatRequest) (*answer, error) {
	reply, err := call.chat(ctx, request)
	if err != nil {
		return nil, err
	}
	return &answer{reply.GetMessage(), reply.GetToolCalls(), reply.GetFinishReason(), reply.GetCost()}, nil
}

func askStream(ctx context.Context, call caller, request *v1.ChatRequest) (*answer, error) {
	reply := &answer{message: &v1.Message{Role: "assistant"}}
	byIndex := map[int32]*v1.ToolCall{}
	err := call.stream(ctx, request, func(event *v1.StreamResponse) {
		reply.message.Content += event.GetToken()
		if piece := event.GetToolCall(); piece != nil {
			made := byIndex[piece.GetIndex()]
			if made == nil {
				made = &v1.ToolCall{}
				byIndex[piece.GetIndex()] = made
				reply.calls = append(reply.calls, made)
			}
			made.Id += piece.GetId()
			made.Name += piece.GetName()
			made.Arguments += piece.GetArguments()
			made.Signature += piece.GetSignature()
		}
		if event.GetDone() {
			reply.finishReason, reply.cost = event.GetFinishReason(), event.GetReceipt().GetCost()
		}
	})
	for _, made := range reply.calls {
		part := &v1.Part{Part: &v1.Part_ToolCall{ToolCall: made}}
		reply.message.Parts = append(reply.message.Parts, part)
	}
	return reply, err
}

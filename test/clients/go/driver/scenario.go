package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

const (
	deadline          = 300 * time.Millisecond
	weatherParameters = `{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}`
)

// A scenario says in the line's detail what was not as it should be.
var scenarios = []struct {
	name string
	run  func(ctx context.Context, call caller, result *line)
	// extra ones run only when they are asked for by name.
	extra bool
}{
	{"chat", chat, false},
	{"tool", tool, false},
	{"stream", stream, false},
	{"error", refused, false},
	{"deadline", late, false},
	{"abort", abort, false},
	{"conversation", converse(askWhole), true},
	{"conversation-stream", converse(askStream), true},
}

// model answers; the provider behind it is emulated.
var model = "openai/gpt-4o"

func chat(ctx context.Context, call caller, result *line) {
	reply, err := call.chat(withRequestID(ctx, result.RequestID), ask("Hello"))
	if err != nil {
		result.fail(call, err)
		return
	}
	result.Text = reply.GetResponse()
	result.charge(reply.GetCost())
	result.expect(strings.HasPrefix(result.Text, "This is the answer"), "the answer is %q", result.Text)
	result.expect(result.CostPicoUSD != "", "the cost is not known")
	result.expect(reply.GetRequestId() == result.RequestID, "the reply has the id %s", reply.GetRequestId())
}

func tool(ctx context.Context, call caller, result *line) {
	request := ask("How is the weather in Paris?")
	request.Tools = []*v1.Tool{{Name: "get_weather", ParametersJson: weatherParameters}}
	request.ToolChoice = "required"
	reply, err := call.chat(withRequestID(ctx, result.RequestID), request)
	if err != nil {
		result.fail(call, err)
		return
	}
	result.charge(reply.GetCost())
	calls := reply.GetToolCalls()
	if len(calls) != 1 {
		result.expect(false, "%d tools were called", len(calls))
		return
	}
	result.ToolName, result.ToolArgs = calls[0].GetName(), calls[0].GetArguments()
	result.expect(result.ToolName == "get_weather", "the tool is %q", result.ToolName)
	result.expect(strings.Contains(result.ToolArgs, `"city"`), "the arguments are %q", result.ToolArgs)
}

func stream(ctx context.Context, call caller, result *line) {
	var last *v1.StreamResponse
	err := call.stream(withRequestID(ctx, result.RequestID), ask("Hello"), func(event *v1.StreamResponse) {
		result.Text += event.GetToken()
		last = event
	})
	if err != nil {
		result.fail(call, err)
		return
	}
	result.expect(strings.HasPrefix(result.Text, "This is the answer"), "the answer is %q", result.Text)
	result.expect(last.GetDone(), "the last event is not done")
	result.Receipt = last.GetReceipt() != nil
	result.charge(last.GetReceipt().GetCost())
	result.expect(result.CostPicoUSD != "", "the cost is not known")
}

func refused(ctx context.Context, call caller, result *line) {
	request := ask("[[emulate: status=429 retry_after=2]] Hello")
	_, err := call.chat(withRequestID(ctx, result.RequestID), request)
	result.told(call, err)
	result.expect(result.Kind == "provider_rate_limited", "the kind is %q", result.Kind)
	result.expect(result.Code == "resource_exhausted", "the code is %q", result.Code)
	result.expect(result.RetryAfterMS != nil && *result.RetryAfterMS == 2000, "it does not say to wait 2 s")
	result.expect(result.Receipt, "there is no receipt")
}

func late(ctx context.Context, call caller, result *line) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	_, err := call.chat(withRequestID(ctx, result.RequestID), ask("[[emulate: delay_ms=10000]] Hello"))
	result.told(call, err)
	result.expect(result.Code == "deadline_exceeded", "the code is %q", result.Code)
}

func abort(ctx context.Context, call caller, result *line) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := ask("[[emulate: tokens=1000 interval_ms=100]] Hello")
	err := call.stream(withRequestID(ctx, result.RequestID), request, func(event *v1.StreamResponse) {
		result.Text += event.GetToken()
		result.spent(event.CostPicoUsd)
		cancel()
	})
	result.told(call, err)
	result.expect(result.Code == "canceled", "the code is %q", result.Code)
	result.expect(result.Text != "", "there was no word")
	result.expect(result.CostPicoUSD != "", "the running cost is not known")
}

func ask(content string) *v1.ChatRequest {
	return &v1.ChatRequest{Model: model, Messages: []*v1.Message{{Role: "user", Content: content}}}
}

func (l *line) charge(cost *v1.Cost) {
	if cost != nil {
		l.spent(cost.ActualPicoUsd)
	}
}

func (l *line) spent(picoUSD *int64) {
	if picoUSD != nil {
		l.CostPicoUSD = strconv.FormatInt(*picoUSD, 10)
	}
}

func (l *line) told(call caller, err error) {
	failure := call.failure(err)
	if failure == nil {
		l.expect(false, "it did not fail")
		return
	}
	l.Kind, l.Code, l.Receipt = failure.Kind, failure.Code.String(), failure.Receipt != nil
	l.charge(failure.Receipt.GetCost())
	if failure.RetryAfter != nil {
		l.RetryAfterMS = new(failure.RetryAfter.Milliseconds())
	}
}

func (l *line) fail(call caller, err error) {
	l.told(call, err)
	l.expect(false, "%v", err)
}

func (l *line) expect(holds bool, format string, words ...any) {
	if holds {
		return
	}
	if l.Detail != "" {
		l.Detail += "; "
	}
	l.Detail += fmt.Sprintf(format, words...)
}

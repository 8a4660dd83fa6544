package llmgateway_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
	"github.com/llmgateway/llmgateway/gen/go/llmgateway/v1/llmgatewayv1connect"
)

const jobID = "0191f2a0-0000-7000-8000-000000000000"

// jobScript is a server with one job. Each watch is what the test wrote down, the last one again and again: events, and
// then the connection breaks unless the job has ended.
type jobScript struct {
	llmgatewayv1connect.UnimplementedGatewayServiceHandler
	t       *testing.T
	watches [][]*v1.JobEvent
	result  error

	mutex   sync.Mutex
	watched int
	keys    []string
	// Gets a value when the job is cancelled.
	cancelled chan struct{}
}

func serveJob(t *testing.T, result error, watches ...[]*v1.JobEvent) (*jobScript, *llmgateway.Client) {
	script := &jobScript{t: t, watches: watches, result: result, cancelled: make(chan struct{}, 1)}
	_, handler := llmgatewayv1connect.NewGatewayServiceHandler(script)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return script, newClient(t, server.URL)
}

func (s *jobScript) SubmitJob(
	_ context.Context,
	request *connect.Request[v1.SubmitJobRequest],
) (*connect.Response[v1.Job], error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.keys = append(s.keys, request.Msg.GetIdempotencyKey())
	return connect.NewResponse(&v1.Job{JobId: jobID, Status: "pending"}), nil
}

func (s *jobScript) WatchJob(
	ctx context.Context,
	_ *connect.Request[v1.WatchJobRequest],
	stream *connect.ServerStream[v1.JobEvent],
) error {
	s.mutex.Lock()
	events := s.watches[min(s.watched, len(s.watches)-1)]
	s.watched++
	s.mutex.Unlock()
	for _, event := range events {
		if err := stream.Send(event); err != nil {
			return err
		}
	}
	if events == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return failureWith(s.t, connect.CodeUnavailable, errorInfo("shutting_down"))
}

func (s *jobScript) GetJobResult(
	context.Context,
	*connect.Request[v1.GetJobResultRequest],
) (*connect.Response[v1.ChatResponse], error) {
	if s.result != nil {
		return nil, s.result
	}
	return connect.NewResponse(&v1.ChatResponse{Response: "Hello"}), nil
}

func (s *jobScript) CancelJob(
	context.Context,
	*connect.Request[v1.CancelJobRequest],
) (*connect.Response[v1.Job], error) {
	s.cancelled <- struct{}{}
	return connect.NewResponse(&v1.Job{JobId: jobID, Status: "cancelled"}), nil
}

func jobIs(status string) *v1.JobEvent {
	return &v1.JobEvent{Job: &v1.Job{JobId: jobID, Status: status}}
}

func jobSays(token string) *v1.JobEvent {
	return &v1.JobEvent{Output: &v1.StreamResponse{Token: new(token)}}
}

func submission() *v1.SubmitJobRequest {
	return &v1.SubmitJobRequest{Messages: []*v1.Message{{Role: "user", Content: "Hello"}}}
}

func TestSubmitAndWaitGoesOnOverConnectionsThatBreak(t *testing.T) {
	script, client := serveJob(t, nil,
		[]*v1.JobEvent{jobIs("running"), jobSays("Hel")},
		[]*v1.JobEvent{jobIs("running"), jobSays("Hello"), jobIs("completed")})
	var told []string
	reply, err := client.SubmitAndWait(patient(t), submission(), llmgateway.OnJobEvent(func(event *v1.JobEvent) {
		told = append(told, event.GetJob().GetStatus()+event.GetOutput().GetToken())
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(told, " "); got != "pending running Hel running Hello completed" {
		t.Errorf("told %s", got)
	}
	script.mutex.Lock()
	defer script.mutex.Unlock()
	if reply.GetResponse() != "Hello" || len(script.keys) != 1 || script.keys[0] == "" {
		t.Errorf("got %v, submitted by %q", reply, script.keys)
	}
}

func TestSubmitAndWaitFailsAsTheJobDid(t *testing.T) {
	broken := failureWith(t, connect.CodeUnavailable, errorInfo("provider_error"))
	_, client := serveJob(t, broken, []*v1.JobEvent{jobIs("failed")})
	_, err := client.SubmitAndWait(patient(t), submission())
	if failure, ok := errors.AsType[*llmgateway.Error](err); !ok || failure.Kind != "provider_error" {
		t.Errorf("got %v", err)
	}
}

func TestTheContextEndsTheWaitAndTheJobOnlyWhereItIsToldTo(t *testing.T) {
	for _, options := range [][]llmgateway.WaitOption{nil, {llmgateway.CancelWithContext()}} {
		script, client := serveJob(t, nil, nil)
		ctx, cancel := context.WithTimeout(patient(t), 100*time.Millisecond)
		defer cancel()
		if _, err := client.SubmitAndWait(ctx, submission(), options...); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if ended := len(script.cancelled); ended != len(options) {
			t.Errorf("cancelled %d times with %d options", ended, len(options))
		}
	}
}

func TestWatchJobTellsUntilTheEndOrTheBreak(t *testing.T) {
	_, client := serveJob(t, nil,
		[]*v1.JobEvent{jobIs("running"), jobIs("completed")},
		[]*v1.JobEvent{jobIs("running")})
	for _, want := range []string{"running completed", "running shutting_down"} {
		var told []string
		for event, err := range client.WatchJob(patient(t), &v1.WatchJobRequest{JobId: jobID}) {
			if err != nil {
				told = append(told, llmgateway.ErrorFrom(err).Kind)
				continue
			}
			told = append(told, event.GetJob().GetStatus())
		}
		if got := strings.Join(told, " "); got != want {
			t.Errorf("told %q, not %q", got, want)
		}
	}
}

func ExampleClient_SubmitAndWait() {
	client, err := llmgateway.New("http://localhost:8080")
	if err != nil {
		log.Fatal(err)
	}
	request := &v1.SubmitJobRequest{
		Model:    "openai/gpt-4o",
		Messages: []*v1.Message{{Role: "user", Content: "Read all of it"}},
	}
	reply, err := client.SubmitAndWait(context.Background(), request,
		llmgateway.OnJobEvent(func(event *v1.JobEvent) { fmt.Print(event.GetOutput().GetToken()) }))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.GetResponse(), reply.GetCost().GetActualUsd())
}

// Package webhook reads the webhooks by which a gateway tells how jobs and batches ended, once their signature is found
// right. It makes no calls.
package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Payload is what a webhook says.
type Payload struct {
	// Type is "job.completed", "job.failed", "job.cancelled", "job.expired", "batch.completed" or "batch.cancelled".
	Type string
	// Timestamp is when it ended.
	Timestamp time.Time
	// Job is set for "job.…".
	Job *v1.Job
	// Batch is set for "batch.…".
	Batch *v1.Batch
	// Result is the reply of a job that completed, when it is small enough; else it is to be fetched by GetJobResult.
	Result *v1.ChatResponse
}

// Verify gives what a webhook says, once its signature and its time are found right. The body is as it was received.
// The secrets are as the gateway has them, "whsec_" and base64; there are several while one replaces another.
func Verify(body []byte, header http.Header, secrets ...string) (*Payload, error) {
	failure := errors.New("webhook: there is no secret")
	for _, secret := range secrets {
		verifier, err := standardwebhooks.NewWebhook(secret)
		// An empty secret is one that anybody knows.
		if err != nil || secret == "" || secret == "whsec_" {
			return nil, errors.New("webhook: a secret must be whsec_ and base64")
		}
		if err := verifier.Verify(body, header); err != nil {
			failure = fmt.Errorf("webhook: %w", err)
			continue
		}
		return read(body)
	}
	return nil, failure
}

func read(body []byte) (*Payload, error) {
	var told struct {
		Type      string
		Timestamp time.Time
		Data      struct{ Job, Batch, Result json.RawMessage }
	}
	if err := json.Unmarshal(body, &told); err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	payload := Payload{Type: told.Type, Timestamp: told.Timestamp}
	var err error
	payload.Job, err = message(err, told.Data.Job, new(v1.Job))
	payload.Batch, err = message(err, told.Data.Batch, new(v1.Batch))
	payload.Result, err = message(err, told.Data.Result, new(v1.ChatResponse))
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	return &payload, nil
}

// message is nil for what is absent. A gateway of another version may say more than this one knows.
func message[Message proto.Message](before error, text json.RawMessage, into Message) (Message, error) {
	var none Message
	if before != nil || text == nil {
		return none, before
	}
	return into, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, into)
}

package llmgateway_test

import (
	"context"
	"crypto/rand"
	"errors"
	"reflect"
	"strings"
	"testing"

	"connectrpc.com/connect"
	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
	"github.com/llmgateway/llmgateway/gen/go/llmgateway/v1/llmgatewayv1connect"
	"google.golang.org/protobuf/proto"
)

const weatherParameters = `{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}`

func TestEveryRPCIsAMethod(t *testing.T) {
	client := reflect.TypeFor[*llmgateway.Client]()
	for _, service := range []reflect.Type{
		reflect.TypeFor[llmgatewayv1connect.GatewayServiceClient](),
		reflect.TypeFor[llmgatewayv1connect.AdminServiceClient](),
	} {
		for index := range service.NumMethod() {
			if name := service.Method(index).Name; !hasMethod(client, name) {
				t.Errorf("there is no %s", name)
			}
		}
	}
}

func hasMethod(of reflect.Type, name string) bool {
	_, found := of.MethodByName(name)
	return found
}

func TestChatAnswersAndSaysWhatItCost(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		id := rand.Text()
		reply, err := client.Chat(llmgateway.WithRequestID(patient(t), id), ask("Hello"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(reply.GetResponse(), `This is the answer to "Hello".`) {
			t.Errorf("answered %q", reply.GetResponse())
		}
		if cost := reply.GetCost(); cost.GetActualPicoUsd() != 320_000_000 || cost.GetProvenance() != "measured" {
			t.Errorf("cost %v", cost)
		}
		if reply.GetRequestId() != id {
			t.Errorf("request id %q, not %q", reply.GetRequestId(), id)
		}
	})
}

func TestChatGivesToolCalls(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		request := ask("How is the weather in Paris?")
		request.Tools = []*v1.Tool{{Name: "get_weather", ParametersJson: weatherParameters}}
		request.ToolChoice = "required"
		reply, err := client.Chat(patient(t), request)
		if err != nil {
			t.Fatal(err)
		}
		calls := reply.GetToolCalls()
		if len(calls) != 1 || calls[0].GetName() != "get_weather" || !strings.Contains(calls[0].GetArguments(), `"city"`) {
			t.Errorf("calls %v", calls)
		}
	})
}

func TestEmbedMakesVectorsAndSaysWhatTheyCost(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		id := rand.Text()
		dimensions := int32(8)
		reply, err := client.Embed(llmgateway.WithRequestID(patient(t), id), &v1.EmbedRequest{
			Model:      "openai/text-embedding-3-small",
			Input:      []string{"Hello", "world"},
			Dimensions: &dimensions,
		})
		if err != nil {
			t.Fatal(err)
		}
		embeddings := reply.GetEmbeddings()
		if len(embeddings) != 2 || len(embeddings[1].GetValues()) != 8 || embeddings[1].GetIndex() != 1 {
			t.Errorf("embeddings %v", embeddings)
		}
		if cost := reply.GetCost(); cost.GetActualPicoUsd() == 0 || cost.GetProvenance() != "measured" {
			t.Errorf("cost %v", cost)
		}
		if reply.GetRequestId() != id {
			t.Errorf("request id %q, not %q", reply.GetRequestId(), id)
		}
	})
}

func TestDryRun(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		reply, err := client.DryRun(patient(t), ask("Hello"))
		if err != nil {
			t.Fatal(err)
		}
		least, expected, most := reply.GetMinPicoUsd(), reply.GetEstimatedPicoUsd(), reply.GetMaxPicoUsd()
		if least <= 0 || expected < least || most < expected {
			t.Errorf("costs %d, %d, %d", least, expected, most)
		}
		if reply.GetProvider() == "" || reply.GetInputTokens() == 0 || reply.GetWouldBeRefused() != nil {
			t.Errorf("reply %v", reply)
		}
		poor := ask("Hello")
		poor.MaxCostUsd = proto.Float64(1e-9)
		reply, err = client.DryRun(patient(t), poor)
		if err != nil {
			t.Fatal(err)
		}
		if kind := reply.GetWouldBeRefused().GetKind(); kind != "budget_exceeded" {
			t.Errorf("would be refused as %q", kind)
		}
	})
}

func TestListModelsAndGetStatus(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		models, err := client.ListModels(patient(t), &v1.ListModelsRequest{Provider: "openai"})
		if err != nil {
			t.Fatal(err)
		}
		if len(models.GetModels()) == 0 || models.GetModels()[0].GetProvider() != "openai" {
			t.Errorf("models %v", models.GetModels())
		}
		status, err := client.GetStatus(patient(t), &v1.GetStatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if status.GetStatus() != "serving" {
			t.Errorf("status %q", status.GetStatus())
		}
	})
}

func TestAWrongKeyIsRefused(t *testing.T) {
	wrong := llmgateway.WithAPIKey("wrong")
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		_, err := client.Chat(patient(t), ask("Hello"))
		failure, ok := errors.AsType[*llmgateway.Error](err)
		if !ok || failure.Kind != "unauthenticated" || failure.Code != connect.CodeUnauthenticated {
			t.Errorf("failed with %v", err)
		}
	}, wrong)
}

func TestTheKeySourceIsAskedForEachCall(t *testing.T) {
	server := serveScript(t, answerOf("Hello"))
	var asked int
	client := newClient(t, server.url, llmgateway.WithKeySource(func(context.Context) (string, error) {
		asked++
		return strings.Repeat("k", asked), nil
	}))
	for _, want := range []string{"Bearer k", "Bearer kk"} {
		if _, err := client.Chat(patient(t), ask("Hello")); err != nil {
			t.Fatal(err)
		}
		if got := server.lastHeader().Get("Authorization"); got != want {
			t.Errorf("authorized with %q, not %q", got, want)
		}
	}
}

func TestAKeySourceThatFailsEndsTheCall(t *testing.T) {
	vault := errors.New("the vault is sealed")
	server := serveScript(t, answerOf("Hello"))
	client := newClient(t, server.url, llmgateway.WithKeySource(func(context.Context) (string, error) { return "", vault }))
	_, err := client.Chat(patient(t), ask("Hello"))
	failure, ok := errors.AsType[*llmgateway.Error](err)
	if !ok || failure.Code != connect.CodeUnauthenticated || failure.Kind != "not_sent" || !errors.Is(err, vault) {
		t.Errorf("failed with %v", err)
	}
	if _, err := client.Stream(patient(t), ask("Hello")); !errors.Is(err, vault) {
		t.Errorf("the stream failed with %v", err)
	}
	if server.lastHeader() != nil {
		t.Error("the gateway was called without a key")
	}
}

func TestEachCallHasAnIDOfItsOwn(t *testing.T) {
	server := serveScript(t, answerOf("Hello"))
	client := newClient(t, server.url)
	seen := map[string]bool{}
	for range 2 {
		if _, err := client.Chat(patient(t), ask("Hello")); err != nil {
			t.Fatal(err)
		}
		seen[server.lastHeader().Get("x-request-id")] = true
	}
	if len(seen) != 2 || seen[""] {
		t.Errorf("ids %v", seen)
	}
}

func TestInterceptorsSeeEachCall(t *testing.T) {
	server := serveScript(t, answerOf("Hello"))
	var seen string
	watch := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			seen = request.Spec().Procedure
			return next(ctx, request)
		}
	})
	if _, err := newClient(t, server.url, llmgateway.WithInterceptors(watch)).Chat(patient(t), ask("Hello")); err != nil {
		t.Fatal(err)
	}
	if seen != "/llmgateway.v1.GatewayService/Chat" {
		t.Errorf("saw %q", seen)
	}
}

func TestNewRefusesWhatIsNoAddress(t *testing.T) {
	for _, url := range []string{"", "localhost:8080", "ftp://host", "http://", "http://user:secret@host", "http://host/?key=secret", ":"} {
		_, err := llmgateway.New(url)
		if err == nil {
			t.Errorf("%q was taken", url)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("told a secret: %v", err)
		}
	}
	if _, err := llmgateway.New("http://host", llmgateway.WithProtocol(7)); err == nil {
		t.Error("a protocol that there is not was taken")
	}
}

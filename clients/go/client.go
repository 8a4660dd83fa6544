package llmgateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"connectrpc.com/connect"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
	"github.com/llmgateway/llmgateway/gen/go/llmgateway/v1/llmgatewayv1connect"
)

const requestIDHeader = "x-request-id"

// Client calls one gateway. It is safe for concurrent use, and meant to be made once and kept: it holds the
// connections.
type Client struct {
	rpc       llmgatewayv1connect.GatewayServiceClient
	admin     llmgatewayv1connect.AdminServiceClient
	keySource func(context.Context) (string, error)
	retry     *RetryPolicy
}

// New makes a client for the gateway at baseURL, such as "https://llm.example.com". A path in it is kept, for a
// gateway behind a prefix.
func New(baseURL string, options ...Option) (*Client, error) {
	if err := checkBaseURL(baseURL); err != nil {
		return nil, err
	}
	var set settings
	for _, option := range options {
		option(&set)
	}
	protocol, err := set.protocol.options()
	if err != nil {
		return nil, err
	}
	if set.httpClient == nil {
		set.httpClient = newHTTPClient(set.protocol)
	}
	clientOptions := append(protocol, connect.WithInterceptors(set.interceptors...))
	return &Client{
		rpc:       llmgatewayv1connect.NewGatewayServiceClient(set.httpClient, baseURL, clientOptions...),
		admin:     llmgatewayv1connect.NewAdminServiceClient(set.httpClient, baseURL, clientOptions...),
		keySource: set.keySource,
		retry:     set.retry,
	}, nil
}

// Chat continues a conversation and returns when the answer is complete. Its error is an [*Error].
func (c *Client) Chat(ctx context.Context, request *v1.ChatRequest) (*v1.ChatResponse, error) {
	return unary(ctx, c, c.rpc.Chat, request)
}

// DryRun tells what would become of a chat, and about what it would cost, and has nobody answer it. Its error is an
// [*Error].
func (c *Client) DryRun(ctx context.Context, request *v1.ChatRequest) (*v1.DryRunResponse, error) {
	return unary(ctx, c, c.rpc.DryRun, request)
}

// Embed makes a vector of each text of the request's input. Its error is an [*Error].
func (c *Client) Embed(ctx context.Context, request *v1.EmbedRequest) (*v1.EmbedResponse, error) {
	return unary(ctx, c, c.rpc.Embed, request)
}

// RecordFeedback tells how good an answer was, for the experiment that it was part of. Its error is an [*Error].
func (c *Client) RecordFeedback(ctx context.Context, request *v1.RecordFeedbackRequest) (*v1.RecordFeedbackResponse, error) {
	return unary(ctx, c, c.rpc.RecordFeedback, request)
}

// ListModels tells which models can be asked for, with their prices. Its error is an [*Error].
func (c *Client) ListModels(ctx context.Context, request *v1.ListModelsRequest) (*v1.ListModelsResponse, error) {
	return unary(ctx, c, c.rpc.ListModels, request)
}

// ListTemplates tells which templates a request can name; with a name, all of that one. Its error is an [*Error].
func (c *Client) ListTemplates(ctx context.Context, request *v1.ListTemplatesRequest) (*v1.ListTemplatesResponse, error) {
	return unary(ctx, c, c.rpc.ListTemplates, request)
}

// RenderTemplate fills a template, as a request that names it would be made of it, and asks nobody. Its error is an
// [*Error].
func (c *Client) RenderTemplate(ctx context.Context, request *v1.RenderTemplateRequest) (*v1.RenderTemplateResponse, error) {
	return unary(ctx, c, c.rpc.RenderTemplate, request)
}

// GetStatus tells which providers can be called, and why the others cannot. Its error is an [*Error].
func (c *Client) GetStatus(ctx context.Context, request *v1.GetStatusRequest) (*v1.GetStatusResponse, error) {
	return unary(ctx, c, c.rpc.GetStatus, request)
}

type requestIDKey struct{}

// WithRequestID has the calls made with the returned context bear this id, which is then in the gateway's log, its
// traces and the receipt. It may have 128 letters, digits and any of ". _ : -". Without it, each attempt of a call
// gets a random one.
//
// Headers of other names are set with [connect.NewClientContext].
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

func unary[Request, Reply any](
	ctx context.Context,
	c *Client,
	rpc func(context.Context, *connect.Request[Request]) (*connect.Response[Reply], error),
	message *Request,
) (*Reply, error) {
	return withRetries(ctx, c.retry, func() (*Reply, *Error) {
		request, failure := newRequest(ctx, c, message)
		if failure != nil {
			return nil, failure
		}
		reply, err := rpc(ctx, request)
		if err != nil {
			return nil, newError(ctx, err, request.Header().Get(requestIDHeader), kindGatewayUnreachable)
		}
		return reply.Msg, nil
	})
}

// newRequest asks for the key anew on each attempt, so that one that changes is followed.
func newRequest[Message any](ctx context.Context, c *Client, message *Message) (*connect.Request[Message], *Error) {
	request := connect.NewRequest(message)
	id, given := ctx.Value(requestIDKey{}).(string)
	if !given {
		id = rand.Text()
	}
	request.Header().Set(requestIDHeader, id)
	if c.keySource == nil {
		return request, nil
	}
	key, err := c.keySource(ctx)
	if err != nil {
		err = connect.NewError(connect.CodeUnauthenticated, fmt.Errorf("the key source failed: %w", err))
		return nil, newError(ctx, err, id, kindNotSent)
	}
	if key != "" {
		request.Header().Set("Authorization", "Bearer "+key)
	}
	return request, nil
}

// checkBaseURL never repeats the URL: it may hold a password.
func checkBaseURL(text string) error {
	base, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("llmgateway: the base URL is not a URL")
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return errors.New(`llmgateway: the base URL must begin with "http://" or "https://" and name a host`)
	case base.User != nil:
		return errors.New("llmgateway: the base URL must not hold a user or password; give the key with WithAPIKey")
	case strings.ContainsAny(text, "?#"):
		return errors.New("llmgateway: the base URL must not have a query or fragment")
	}
	return nil
}

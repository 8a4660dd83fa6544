/** The console: a page to chat by. It wires the page's parts to one client; what they show is their own business. */
import { create } from "@bufbuild/protobuf";
import { MessageSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { type ChatRequest, createGateway, GatewayError } from "../typescript/src/browser.ts";
import { find } from "./dom.ts";
import { history } from "./history.ts";
import { Key } from "./key.ts";
import { Models } from "./models.ts";
import { Providers } from "./providers.ts";
import { Session } from "./session.ts";
import { Settings } from "./settings.ts";
import { type Surroundings, Turn } from "./turn.ts";

/** How near to its end the conversation must be to follow what is added. */
const FOLLOW_PX = 80;

class Console {
  private readonly settings = new Settings();
  private readonly models = new Models();
  private readonly providers = new Providers();
  private readonly key = new Key(() => this.onKey());
  private readonly session = new Session();
  private readonly conversation = find("conversation", HTMLElement);
  private readonly welcome = find("welcome", HTMLElement);
  private readonly question = find("question", HTMLTextAreaElement);
  private readonly send = find("send", HTMLButtonElement);
  private readonly stop = find("stop", HTMLButtonElement);
  private readonly status = find("status", HTMLElement);
  // Whoever reads the page decides whether to try again. The page may stand below a proxy's prefix.
  private readonly gateway = createGateway({
    baseUrl: new URL(".", document.baseURI).href,
    transport: "grpc-web",
    apiKey: () => this.key.current,
    retry: false,
  });
  private readonly around: Surroundings = {
    session: this.session,
    onGrown: () => this.scroll(),
    say: (text) => {
      this.status.textContent = text;
    },
    retry: (turn) => this.run(turn),
    ask: (asked) => this.run(new Turn(asked, this.around)),
  };
  private turns: Turn[] = [];
  private current: Turn | undefined;
  /** Waits for a key. */
  private refused: Turn | undefined;
  private isFollowing = true;

  start(): void {
    find("composer", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.question.addEventListener("keydown", (event) => {
      // While a word is being composed, Enter accepts it.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    });
    this.stop.addEventListener("click", () => this.current?.stop());
    this.conversation.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.conversation;
      this.isFollowing = scrollHeight - scrollTop - clientHeight < FOLLOW_PX;
    });
    find("new-chat", HTMLButtonElement).addEventListener("click", () => this.renew());
    find("reload", HTMLButtonElement).addEventListener("click", () => void this.load());
    this.question.focus();
    void this.load();
  }

  /** Models, prices and providers. */
  private async load(): Promise<void> {
    try {
      // The status waits for the slowest provider; nobody needs it to begin.
      const shown = this.gateway.listModels().then(({ models }) => this.models.show(models));
      const [status] = await Promise.all([this.gateway.getStatus(), shown]);
      this.models.prefer(status.providers);
      this.providers.show(status);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.providers.showFailure(error.message);
      if (error.kind === "unauthenticated") this.key.ask(error.message);
    }
  }

  private onKey(): void {
    void this.load();
    if (this.refused) this.run(this.refused);
    this.question.focus();
  }

  private submit(): void {
    const content = this.question.value.trim();
    if (!content || this.current) return;
    const isAsked = this.run(new Turn([create(MessageSchema, { role: "user", content })], this.around));
    if (isAsked) this.question.value = "";
  }

  /** Asks a new turn, or the last one again. False when that cannot be now. */
  private run(turn: Turn): boolean {
    if (this.current) return false;
    const before = this.turns.filter((other) => other !== turn);
    const { system } = this.settings;
    const request = this.settings.request(this.models.chosen, history(system, before, turn.asked));
    if (!request) return false;
    if (before.length === this.turns.length) {
      before.at(-1)?.close();
      this.turns.push(turn);
      this.conversation.append(turn.element);
    }
    this.refused = undefined;
    void this.follow(turn, request);
    return true;
  }

  private async follow(turn: Turn, request: ChatRequest): Promise<void> {
    this.welcome.hidden = true;
    this.isFollowing = true;
    this.become(turn);
    try {
      const failure = await turn.run(this.gateway, request);
      if (failure?.kind !== "unauthenticated") return;
      this.refused = turn;
      this.key.ask(failure.message);
    } finally {
      this.become(undefined);
    }
  }

  private become(turn: Turn | undefined): void {
    const hadFocus = document.activeElement === this.stop;
    this.current = turn;
    this.send.hidden = turn !== undefined;
    this.stop.hidden = turn === undefined;
    if (hadFocus) this.question.focus();
  }

  private renew(): void {
    this.current?.stop();
    for (const { element } of this.turns) element.remove();
    this.turns = [];
    this.refused = undefined;
    this.welcome.hidden = false;
    this.question.focus();
  }

  private scroll(): void {
    if (this.isFollowing) this.conversation.scrollTop = this.conversation.scrollHeight;
  }
}

new Console().start();

using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

public sealed class TokenAuditTests : IDisposable
{
    private readonly SmallTokenizer _model = new(["<s>", "</s>", "<|im_start|>", "<|im_end|>"], config: new { bos_token = "<s>", eos_token = "</s>" });

    private int Bos => _model.Tokenizer.BosId!.Value;

    private int Eos => _model.Tokenizer.EosId!.Value;

    private int ImEnd => _model.Tokenizer.TokenId("<|im_end|>")!.Value;

    private AuditRow Chat => AuditRow.Of(_model.Template.ForTraining(new Conversation([new("user", "Hi"), new("assistant", "Hello"), new("user", "Bye"), new("assistant", "So long")]), _model.Tokenizer));

    public void Dispose() => _model.Dispose();

    [Fact]
    public void Rows_in_order_have_no_findings()
    {
        var row = Chat;
        Assert.Equal([ImEnd, ImEnd], row.EndsOfTurns.Select(e => row.Ids[e]));
        Assert.Empty(TokenAudit.Check(_model.Tokenizer, [row], [ImEnd], padId: Bos, new AuditEmbeddings(Varied, Frozen: true)));
    }

    [Fact]
    public void Double_BOS_is_found()
    {
        var rows = new[] { Text([Bos, Bos, 10, Eos]), Text([Bos, 10, Eos]) };
        var finding = Assert.Single(TokenAudit.Check(_model.Tokenizer, rows, [Eos], null, new AuditEmbeddings(Varied, true)));
        Assert.Equal(("double-bos", AuditLevel.Error, "1 of 2 rows begin with <s> (256) twice"), (finding.Check, finding.Level, finding.Problem));
        Assert.StartsWith("the text has the token already and the tokenizer adds another", finding.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void An_end_of_turn_that_is_masked_is_found()
    {
        var row = Chat;
        foreach (var end in row.EndsOfTurns) row.Trained[end] = false;
        var finding = Assert.Single(TokenAudit.Check(_model.Tokenizer, [row], [ImEnd], null, new AuditEmbeddings(Varied, true)));
        Assert.Equal(("end-of-turn", AuditLevel.Error), (finding.Check, finding.Level));
        Assert.Equal("no assistant turn ends with a special token that is trained on: the model would not learn to stop", finding.Problem);
    }

    [Fact]
    public void A_template_without_an_end_of_turn_is_found()
    {
        using var model = new SmallTokenizer(["</s>"], config: new { eos_token = "</s>" },
            template: "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}");
        var row = AuditRow.Of(model.Template.ForTraining(new Conversation([new("user", "Hi"), new("assistant", "Hello")]), model.Tokenizer));
        Assert.Equal("end-of-turn", Assert.Single(TokenAudit.Check(model.Tokenizer, [row], [model.Tokenizer.EosId!.Value])).Check);
    }

    [Fact]
    public void White_space_behind_the_end_of_turn_does_not_hide_it()
    {
        using var model = new SmallTokenizer(["<|im_start|>", "<|im_end|>"],
            template: "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}");
        var row = AuditRow.Of(model.Template.ForTraining(new Conversation([new("user", "Hi"), new("assistant", "Hello")]), model.Tokenizer));
        Assert.Equal("\n", model.Tokenizer.Decode([row.Ids[row.EndsOfTurns[0]]]));
        Assert.DoesNotContain(TokenAudit.Check(model.Tokenizer, [row], [model.Tokenizer.TokenId("<|im_end|>")!.Value]), f => f.Check == "end-of-turn");
    }

    [Fact]
    public void Texts_without_EOS_are_found()
    {
        var finding = Assert.Single(TokenAudit.Check(_model.Tokenizer, [Text([10, 11, 12])], [Eos]));
        Assert.Equal("no row has a trained token that ends a generation (</s> (257)): the model would not learn to stop", finding.Problem);
        Assert.Equal("append the EOS token to the texts, or to the completions", finding.Remedy);
    }

    [Fact]
    public void An_end_that_generation_does_not_stop_at_is_found()
    {
        var finding = Assert.Single(TokenAudit.Check(_model.Tokenizer, [Chat], [Eos], null, new AuditEmbeddings(Varied, true)));
        Assert.Equal(("stop-token", AuditLevel.Warning), (finding.Check, finding.Level));
        Assert.Equal("turns end with <|im_end|> (259), but generation stops at </s> (257): what is trained would go on after its answer", finding.Problem);
        Assert.Equal("name it as eos_token in tokenizer_config.json or in eos_token_id of generation_config.json: 259", finding.Remedy);
    }

    [Fact]
    public void Padding_that_masks_the_end_of_turn_is_found()
    {
        var row = Chat;
        row.Trained[row.EndsOfTurns[0]] = false;
        var findings = TokenAudit.Check(_model.Tokenizer, [row], [ImEnd], padId: ImEnd, new AuditEmbeddings(Varied, true));
        Assert.Equal("the padding token <|im_end|> (259) also ends turns, and at 1 of 2 places it is masked away as padding: the model would not learn to stop", Assert.Single(findings).Problem);
        Assert.Empty(TokenAudit.Check(_model.Tokenizer, [Chat], [ImEnd], padId: ImEnd, new AuditEmbeddings(Varied, true)));
    }

    [Fact]
    public void Embeddings_of_chat_marks_are_looked_at()
    {
        var start = _model.Tokenizer.TokenId("<|im_start|>")!.Value;
        float[] Zero(int id) => id == start ? new float[4] : Varied(id);
        float[] Copied(int id) => id == ImEnd ? Varied(start) : Varied(id);
        var zero = Assert.Single(TokenAudit.Check(_model.Tokenizer, [Chat], [ImEnd], null, new AuditEmbeddings(Zero, true)));
        Assert.Equal("the base model's embeddings of <|im_start|> (258) look as if they had never been trained, and they stay frozen", zero.Problem);
        Assert.Contains("adapter.modules_to_save: [embed_tokens, lm_head]", zero.Remedy, StringComparison.Ordinal);
        var copied = Assert.Single(TokenAudit.Check(_model.Tokenizer, [Chat], [ImEnd], null, new AuditEmbeddings(Copied, true)));
        Assert.Contains("<|im_start|> (258), <|im_end|> (259)", copied.Problem, StringComparison.Ordinal);
        Assert.Empty(TokenAudit.Check(_model.Tokenizer, [Chat], [ImEnd], null, new AuditEmbeddings(Zero, Frozen: false)));
    }

    /// <summary>A tokenizer may have more tokens than the model has embeddings, as with a padding token that nobody resized for.</summary>
    [Fact]
    public void Tokens_beyond_the_table_are_no_finding()
    {
        float[] Short(int id) => id >= ImEnd ? [] : Varied(id);
        Assert.Empty(TokenAudit.Check(_model.Tokenizer, [Chat], [ImEnd], null, new AuditEmbeddings(Short, true)));
    }

    [Fact]
    public void Without_weights_the_embeddings_are_said_to_be_unchecked()
    {
        var finding = Assert.Single(TokenAudit.Check(_model.Tokenizer, [Chat], [ImEnd]));
        Assert.Equal(("untrained-tokens", AuditLevel.Unchecked), (finding.Check, finding.Level));
        Assert.Equal("whether the base model knows <|im_start|> (258), <|im_end|> (259): its weights are not here", finding.Problem);
    }

    [Fact]
    public void Prompts_that_differ_from_inference_are_found()
    {
        using var model = new SmallTokenizer(["<|im_start|>", "<|im_end|>"],
            template: "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\nThinking:' }}{% endif %}");
        var rendered = model.Template.ForTraining(new Conversation([new("user", "Hi"), new("assistant", "Hello")]), model.Tokenizer);
        Assert.Equal("before 1 of 1 assistant turns the template writes something else than the model will see at inference", Assert.Single(TokenAudit.CheckPrompts([rendered])).Problem);
        Assert.Empty(TokenAudit.CheckPrompts([_model.Template.ForTraining(new Conversation([new("user", "Hi"), new("assistant", "Hello")]), _model.Tokenizer)]));
    }

    private static float[] Varied(int id) => [1, id, -id, 0.5f];

    private static AuditRow Text(int[] ids) => new(ids, [.. ids.Select(_ => true)], []);
}

using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Models;
using LlmTune.Recipes;
using LlmTune.Training;

namespace LlmTune.Tests.Recipes.OtherTools;

public class AxolotlTests
{
    private const string Least = """
        base_model: models/small
        learning_rate: 2e-5
        datasets:
          - path: data/rows.jsonl
            type: chat_template
        """;

    private static RunConfig With(string more) => Theirs.Config($"{Least}\n{more}");

    private static SourceConfig Source(string set) => Theirs.Config($"base_model: x\nlearning_rate: 1e-4\ndatasets:\n  - {{ path: rows.jsonl, {set} }}").Data.Sources[0];

    private static string Refusal(string set) => Theirs.Problems($"base_model: x\nlearning_rate: 1e-4\ndatasets:\n  - {{ {set} }}");

    [Fact]
    public void Its_defaults_are_carried_over()
    {
        var run = Theirs.Config(Least);
        Assert.Equal(Theirs.Ours("""
            model: { path: models/small }
            data:
              sources: [{ path: data/rows.jsonl, format: messages }]
              max_length: 512
              truncation: drop
              packing: false
              group_by_length: false
            training:
              output_dir: model-out
              per_device_train_batch_size: 1
              gradient_accumulation_steps: 1
              learning_rate: 2e-5
              lr_scheduler_type: cosine
              num_train_epochs: 1
              warmup_ratio: 0.03
            """), run);
        Assert.Null(run.Adapter);
        Assert.Equal(("/run/models/small", "/run/data/rows.jsonl"), (Path.GetFullPath(run.Model.Path, "/run"), run.Data.Sources[0].Path));
    }

    [Fact]
    public void A_lora_file_means_what_was_worked_out_by_hand()
    {
        const string File = """
            base_model: ./models/Llama-3.2-1B
            model_type: AutoModelForCausalLM
            strict: false
            plugins:
              - axolotl.integrations.liger.LigerPlugin
            liger_rope: true

            load_in_8bit: false
            load_in_4bit: false

            datasets:
              - path: data/alpaca.jsonl
                type: alpaca
              - path: data/chats.parquet
                type: chat_template
                split: train
                field_messages: conversations
                message_property_mappings:
                  role: from
                  content: value
                roles:
                  user: [human, user]
                  assistant: [gpt]
                roles_to_train: [gpt]
                train_on_eos: turn
            dataset_prepared_path: last_run_prepared
            val_set_size: 0.05
            output_dir: ./outputs/lora-out

            sequence_len: 2048
            sample_packing: true
            eval_sample_packing: true
            pad_to_sequence_len: true

            adapter: lora
            lora_model_dir:
            lora_r: 32
            lora_alpha: 16
            lora_dropout: 0.05
            lora_target_linear: true
            lora_modules_to_save: [embed_tokens, lm_head]

            wandb_project:
            wandb_entity: us

            gradient_accumulation_steps: 4
            micro_batch_size: 2
            num_epochs: 4
            optimizer: adamw_torch
            lr_scheduler: cosine
            learning_rate: 0.0002

            train_on_inputs: false
            group_by_length: false
            bf16: auto
            tf32: false

            gradient_checkpointing: true
            gradient_checkpointing_kwargs:
              use_reentrant: false
            resume_from_checkpoint:
            logging_steps: 1
            flash_attention: true

            warmup_steps: 10
            evals_per_epoch: 4
            saves_per_epoch: 1
            weight_decay: 0.1
            fsdp:
            special_tokens:
              pad_token: <|end_of_text|>
            """;
        Assert.Equal(Theirs.Ours("""
            model: { path: ./models/Llama-3.2-1B }
            adapter: { type: lora, r: 32, lora_alpha: 16, lora_dropout: 0.05, target_modules: all-linear, modules_to_save: [embed_tokens, lm_head] }
            data:
              sources:
                - { path: data/alpaca.jsonl, format: alpaca_text }
                - { path: data/chats.parquet, format: sharegpt }
              eval: { fraction: 0.05 }
              max_length: 2048
              truncation: drop
              packing: true
              group_by_length: false
            training:
              output_dir: outputs/lora-out
              per_device_train_batch_size: 2
              gradient_accumulation_steps: 4
              learning_rate: 2e-4
              num_train_epochs: 4
              lr_scheduler_type: cosine
              warmup_steps: 10
              optim: adamw_torch
              weight_decay: 0.1
              gradient_checkpointing: true
              eval_strategy: epoch
            """), Theirs.Config(File));
        Theirs.EveryKeyOnce(File, Theirs.Translate(File));
    }

    [Fact]
    public void Pretraining_is_one_stream_of_texts()
    {
        const string File = """
            base_model: models/tiny
            pretraining_dataset:
              - path: ./data/corpus
                text_column: content
                type: pretrain
            max_steps: 200
            learning_rate: 2e-3
            sequence_len: 1024
            sample_packing: true
            bf16: false
            """;
        var run = Theirs.Config(File);
        Assert.Equal(PackingMode.Wrapped, run.Data.Packing);
        Assert.Equal(("/run/data/corpus", "text", "content"), (run.Data.Sources[0].Path, run.Data.Sources[0].Format, run.Data.Sources[0].Columns!["text"]));
        Assert.Equal((200, ModelDtype.Float32), (run.Training.MaxSteps, run.Model.Dtype));
        Theirs.EveryKeyOnce(File, Theirs.Translate(File));
        Assert.Equal("/run/corpus.txt", Theirs.Config("base_model: x\nlearning_rate: 1e-3\npretraining_dataset: corpus.txt").Data.Sources[0].Path);
    }

    [Theory]
    [InlineData("type: completion, field: body", "text", "text", "body")]
    [InlineData("type: completion", "text", null, null)]
    [InlineData("type: chat_template, field_messages: dialog", "messages", "messages", "dialog")]
    [InlineData("type: sharegpt, field_messages: dialog", "sharegpt", "conversations", "dialog")]
    [InlineData("ds_type: json", "tokenized", null, null)]
    public void Types_of_rows_are_formats(string set, string format, string? part, string? column)
    {
        var source = Source(set);
        Assert.Equal(format, source.Format);
        Assert.Equal(column, part is null ? null : source.Columns![part]);
    }

    /// <summary>axolotl cuts the texts of completion sets into pieces of sequence_len, which is one stream here; beside other rows they stay texts.</summary>
    [Fact]
    public void Completion_sets_alone_are_one_stream_of_texts()
    {
        static PackingMode Packing(params string[] sets) =>
            Theirs.Config($"base_model: x\nlearning_rate: 1e-4\ndatasets:\n{string.Concat(sets.Select(set => $"  - {{ path: rows.jsonl, {set} }}\n"))}").Data.Packing;
        Assert.Equal(PackingMode.Wrapped, Packing("type: completion", "type: completion, field: body"));
        Assert.Equal(PackingMode.None, Packing("type: completion", "type: chat_template"));
    }

    [Fact]
    public void ChatML_takes_the_place_of_the_models_template_and_other_names_do_not()
    {
        Assert.Equal("chatml", With("chat_template: chatml").Model.ChatTemplate);
        Assert.Null(With("chat_template: tokenizer_default").Model.ChatTemplate);
    }

    /// <summary>It holds for all data here: a set that does not say it trains answers only.</summary>
    [Fact]
    public void Roles_to_train_of_one_set_do_not_reach_another()
    {
        const string Two = "base_model: x\nlearning_rate: 1e-4\ndatasets:\n  - { path: a.jsonl, type: chat_template, roles_to_train: [user, assistant] }\n  - { path: b.jsonl, type: chat_template";
        Assert.Contains("is not said of all data sets", Theirs.Problems($"{Two} }}"), StringComparison.Ordinal);
        Assert.Equal(["user", "assistant"], Theirs.Config($"{Two}, roles_to_train: [user, assistant] }}").Data.RolesToTrain);
    }

    [Theory]
    [InlineData("./sets", "test[:100]", "test[:100]")]
    [InlineData("./sets", "train", "train")]
    [InlineData("rows.jsonl", "train[5%:20%]", "train[5%:20%]")]
    [InlineData("rows.jsonl", "train", null)]
    public void A_split_is_taken_over_unless_a_file_is_the_whole_of_it(string path, string split, string? ours) => Assert.Equal(
        ours, Theirs.Config($"base_model: x\nlearning_rate: 1e-4\ndatasets: [{{ path: {path}, type: completion, split: '{split}' }}]").Data.Sources[0].Split);

    [Fact]
    public void Roles_are_taken_over_where_they_are_not_known()
    {
        var source = Source("type: chat_template, roles: { user: [human, Customer], assistant: [gpt, agent], tool: [tool] }");
        Assert.Equal("{Customer: user, agent: assistant}", source.Roles!.ToString());
        Assert.Null(Source("type: chat_template, roles: { user: [human], assistant: [ai] }").Roles);
    }

    /// <summary>What its tokens are called cannot be known, and it is what has to be mended.</summary>
    [Fact]
    public void A_model_that_is_not_here_is_said_and_not_its_tokens()
    {
        var message = Theirs.Problems("base_model: someone/Not-Here-7b\nlearning_rate: 1e-4\ndatasets: [{ path: r.jsonl, type: completion }]\nspecial_tokens: { bos_token: <s>, eos_token: </s>, unk_token: <unk> }");
        Assert.StartsWith("theirs.yaml:1:1: someone/Not-Here-7b is neither a folder nor a model in the local Hugging Face cache (", message, StringComparison.Ordinal);
        Assert.EndsWith("; download it there first (hf download someone/Not-Here-7b), or give the path of a folder", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData("adamw_8bit", true)]
    [InlineData("paged_adamw_8bit", true)]
    [InlineData("adamw_bnb_8bit", true)]
    [InlineData("ao_adamw_4bit", true)]
    [InlineData("paged_adamw_32bit", false)]
    public void An_optimizer_in_few_bits_or_pages_is_AdamW_with_a_word_on_memory(string name, bool few)
    {
        var translation = Theirs.Translate($"{Least}\noptimizer: {name}");
        Assert.Equal(OptimizerType.AdamWTorchFused, translation.Config().Training.Optim);
        var note = translation.Keys.Single(key => key.Key == "optimizer").Note;
        Assert.Equal(few, note!.Contains("few bits, here in 32: the same update without rounding, with 8 bytes of state", StringComparison.Ordinal));
        Assert.Equal(!few, note.Contains("moves to main memory where the GPU is full", StringComparison.Ordinal));
    }

    [Fact]
    public void Special_tokens_that_are_the_models_own_change_nothing()
    {
        var own = $"base_model: {RealModels.Stories}\nlearning_rate: 1e-4\ndatasets: [{{ path: r.jsonl, type: completion }}]\nspecial_tokens: {{ bos_token: <s>, eos_token: </s> }}";
        Assert.Equal(2, Theirs.Translate(own).Keys.Count(key => key.Note == "as the tokenizer has it"));
        Assert.Equal("theirs.yaml:4:35: special_tokens.eos_token: <|im_end|> is not the tokenizer's own; change it in tokenizer_config.json, and leave it out here",
            Theirs.Problems(own.Replace("</s>", "<|im_end|>", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_prompt_of_ones_own_is_a_template()
    {
        var source = Source("type: { field_instruction: question, field_output: answer, format: \"Q: {instruction}\\nA:\", no_input_format: \"Q: {instruction}\\nA:\" }");
        Assert.Equal(("prompt_completion", "Q: {question}\nA:", "answer"), (source.Format, source.PromptTemplate, source.Columns!["completion"]));
    }

    [Fact]
    public void Several_files_of_a_set_are_several_sources()
    {
        Assert.Equal(["/run/a.json", "/run/b.json"], Theirs.Config("base_model: x\nlearning_rate: 1e-4\ndatasets: [{ path: json, data_files: [a.json, b.json], type: completion }]").Data.Sources.Select(s => s.Path));
        Assert.Equal(["/run/sets/a.json"], Theirs.Config("base_model: x\nlearning_rate: 1e-4\ndatasets: [{ path: sets, data_files: a.json, type: completion }]").Data.Sources.Select(s => s.Path));
    }

    [Theory]
    [InlineData("path: tatsu-lab/alpaca, type: alpaca", "theirs.yaml:4:7: datasets.0.path: tatsu-lab/alpaca is not here, and nothing is downloaded; fetch it (hf download tatsu-lab/alpaca --repo-type dataset), and this file finds it in the local Hugging Face cache")]
    [InlineData("path: a.jsonl, type: input_output", "theirs.yaml:4:22: datasets.0.type: input_output is a form of rows that is not translated; there are alpaca, chat_template, sharegpt, completion, rows of input_ids without a type, and { field_instruction, field_output, format }")]
    [InlineData("path: a.jsonl, type: chat_template, train_on_eos: last", "theirs.yaml:4:43: datasets.0.train_on_eos: last is not built; here the end of every trained turn is trained on (turn); leave it out")]
    [InlineData("path: a.jsonl, type: chat_template, roles: { robot: [r2] }", "theirs.yaml:4:43: datasets.0.roles speaks of the role robot, which templates do not know; there are system, developer, user, assistant, tool, function, ipython or function_call")]
    [InlineData("path: a.jsonl, type: completion, shards: 10", "theirs.yaml:4:40: datasets.0.shards: 10 takes a part of the data; limit of a source does so in a run file of ours")]
    [InlineData("path: sets, type: completion, split: 'train[:20%]+test'", "theirs.yaml:4:37: datasets.0.split: train[:20%]+test joins splits; write a data set for each of them")]
    [InlineData("path: sets, type: completion, split: 'train[20]'", "theirs.yaml:4:37: datasets.0.split: train[20] is no split that is read; there are a name, or some of its rows: train[:1000], train[10%:20%]")]
    [InlineData("path: a.jsonl, type: { format: \"{instruction}{input}\" }", "theirs.yaml:4:22: datasets.0.type has one prompt for rows with an input (format) and another for those without (no_input_format), which is not built; make both alike")]
    [InlineData("path: a.jsonl, type: chat_template, message_property_mappings: { role: who, content: what }", "theirs.yaml:4:5: datasets.0 has turns of who and what; there are role and content, and from and value; rename them in the rows")]
    [InlineData("type: completion", "theirs.yaml:4:5: datasets.0.path is missing: a file or a folder")]
    public void Sets_that_cannot_be_had_are_refused(string set, string message) => Assert.Equal(message, Refusal(set));

    [Fact]
    public void All_that_has_no_counterpart_is_said_at_once_with_its_line() => Assert.Equal("""
        theirs.yaml:6:1: adapter: qlora is LoRA on a base in 4 bits, which is not built; adapter: lora without load_in_4bit trains on the whole weights (more memory)
        theirs.yaml:7:1: load_in_4bit: true holds the base in few bits, which is not built; leave it out to train on the whole weights (more memory)
        theirs.yaml:9:1: optimizer: lion_8bit is an optimizer that is not built; adamw_torch is
        theirs.yaml:10:1: rl: dpo trains on preferences or rewards, which is not built; supervised fine-tuning is
        theirs.yaml:11:1: sequence_length: 5 is not known as a key of axolotl, did you mean 'sequence_len'?
        """.ReplaceLineEndings("\n"), Theirs.Problems($"""
        {Least}
        adapter: qlora
        load_in_4bit: true
        rl_beta: 0.1
        optimizer: lion_8bit
        rl: dpo
        sequence_length: 5
        """));

    [Fact]
    public void What_axolotl_asks_for_is_asked_for_here() => Assert.Equal("""
        theirs.yaml:2:1: lora_r is missing, which axolotl asks for beside adapter: lora
        theirs.yaml:2:1: lora_alpha is missing, which axolotl asks for beside adapter: lora
        theirs.yaml:2:1: lora_target_linear or lora_target_modules is missing: without them axolotl adapts nothing
        theirs.yaml: datasets is missing: what to train on
        theirs.yaml: learning_rate is missing, which axolotl asks for
        """.ReplaceLineEndings("\n"), Theirs.Problems("base_model: x\nadapter: lora"));

    [Fact]
    public void Rows_of_a_step_say_the_accumulation() => Assert.Equal((2, 8), (
        With("micro_batch_size: 2\nbatch_size: 16").Training.PerDeviceTrainBatchSize, With("micro_batch_size: 2\nbatch_size: 16").Training.GradientAccumulationSteps));

    [Theory]
    [InlineData("val_set_size: 100\neval_steps: 50", EvalStrategy.Steps, 50)]
    [InlineData("val_set_size: 100\neval_steps: 0.25", EvalStrategy.Epoch, null)]
    [InlineData("val_set_size: 100\nevals_per_epoch: 0", EvalStrategy.No, null)]
    [InlineData("val_set_size: 100", EvalStrategy.No, null)]
    [InlineData("evals_per_epoch: 4", EvalStrategy.No, null)]
    [InlineData("test_datasets: [{ path: t.jsonl, type: chat_template, split: train }]\neval_strategy: epoch", EvalStrategy.Epoch, null)]
    public void Evaluations_come_as_they_would_there(string lines, EvalStrategy strategy, int? steps)
    {
        var training = With(lines).Resolved().Training;
        Assert.Equal((strategy, steps), (training.EvalStrategy!.Value, training.EvalSteps));
    }

    [Fact]
    public void Parts_of_a_model_are_trained_by_name() => Assert.Equal(
        Theirs.Ours("model: { path: x, trainable: [lm_head.weight, model.layers.3] }\ndata: { sources: [{ path: x }] }\ntraining: { output_dir: x }").Model.Trainable,
        With("unfrozen_parameters: [^lm_head.weight$, model.layers.3]").Model.Trainable);

    [Fact]
    public void Modules_are_named_or_all_linear()
    {
        const string Lora = "adapter: lora\nlora_r: 8\nlora_alpha: 16\n";
        Assert.Equal(ModuleSelector.Names("q_proj", "v_proj"), ((LoraConfig)With($"{Lora}lora_target_modules: [q_proj, v_proj]").Adapter!).TargetModules);
        Assert.Equal(ModuleSelector.AllLinear, ((LoraConfig)With($"{Lora}lora_target_linear: true\nlora_target_modules: [q_proj]").Adapter!).TargetModules);
    }
}

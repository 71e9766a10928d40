using LlmTune.Adapters;
using LlmTune.Config;
using LlmTune.Data;
using LlmTune.Recipes;
using LlmTune.Recipes.OtherTools;

namespace LlmTune.Tests.Recipes.OtherTools;

/// <summary>Files as torchtune's recipes have them: LoRA and full tuning are translated, what else there is is refused with its line.</summary>
public class TorchtuneTests
{
    /// <summary>A LoRA recipe for one device, with everything that such files have.</summary>
    private const string Lora = """
        output_dir: /runs/small/lora   # a comment
        model:
          _component_: torchtune.models.llama3_2.lora_llama3_2_1b
          lora_attn_modules: ['q_proj', 'v_proj', 'output_proj']
          apply_lora_to_mlp: True
          apply_lora_to_output: False
          lora_rank: 64
          lora_alpha: 128
          lora_dropout: 0.05
        tokenizer:
          _component_: torchtune.models.llama3.llama3_tokenizer
          path: /models/small/original/tokenizer.model
          max_seq_len: 1024
        checkpointer:
          _component_: torchtune.training.FullModelHFCheckpointer
          checkpoint_dir: /models/small/
          checkpoint_files:
            filename_format: model-{}-of-{}.safetensors
            max_filename: "00002"
          recipe_checkpoint: null
          output_dir: ${output_dir}
          model_type: LLAMA3_2
        resume_from_checkpoint: False
        save_adapter_weights_only: False
        dataset:
          _component_: torchtune.datasets.instruct_dataset
          source: json
          data_files: data/rows.json
          column_map: { input: question, output: reply }
          packed: False
          split: train[:95%]
        dataset_val:
          _component_: torchtune.datasets.instruct_dataset
          source: json
          data_files: data/rows.json
          column_map: { input: question, output: reply }
          split: train[95%:]
        run_val_every_n_steps: 50
        batch_size_val: ${batch_size}
        seed: 7
        shuffle: True
        batch_size: 4
        optimizer:
          _component_: torch.optim.AdamW
          fused: True
          weight_decay: 0.02
          lr: 3e-4
        lr_scheduler:
          _component_: torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup
          num_warmup_steps: 100
        loss:
          _component_: torchtune.modules.loss.LinearCrossEntropyLoss
        epochs: 2
        max_steps_per_epoch: null
        gradient_accumulation_steps: 8
        clip_grad_norm: null
        compile: False
        metric_logger:
          _component_: torchtune.training.metric_logging.DiskLogger
          log_dir: ${output_dir}/logs
        log_every_n_steps: 1
        log_peak_memory_stats: True
        log_level: INFO
        device: cpu
        dtype: bf16
        enable_activation_checkpointing: True
        enable_activation_offloading: False
        profiler:
          _component_: torchtune.training.setup_torch_profiler
          enabled: False
          output_dir: ${output_dir}/profiling_outputs
          wait_steps: 5
        """;

    /// <summary>A recipe for the whole model with the least that it needs.</summary>
    private const string Full = """
        output_dir: out
        model: { _component_: torchtune.models.qwen2_5.qwen2_5_0_5b }
        tokenizer: { _component_: torchtune.models.qwen2_5.qwen2_5_tokenizer, path: models/small/vocab.json, merges_file: models/small/merges.txt, max_seq_len: null }
        checkpointer: { _component_: torchtune.training.FullModelHFCheckpointer, checkpoint_dir: models/small, checkpoint_files: [model.safetensors], model_type: QWEN2, output_dir: "${output_dir}" }
        dataset: { _component_: torchtune.datasets.chat_dataset, source: ./data/chats, conversation_column: talk, conversation_style: sharegpt, packed: True }
        seed: null
        shuffle: False
        epochs: 1
        batch_size: 2
        gradient_accumulation_steps: 1
        optimizer: { _component_: bitsandbytes.optim.PagedAdamW, lr: 2e-5 }
        optimizer_in_bwd: True
        loss: { _component_: torchtune.modules.loss.CEWithChunkedOutputLoss }
        device: cuda
        dtype: fp32
        enable_activation_checkpointing: False
        """;

    private static RunConfig With(string old, string now) => Theirs.Config(Full.Replace(old, now, StringComparison.Ordinal));

    private static string Refusal(string old, string now) => Theirs.Problems(Full.Replace(old, now, StringComparison.Ordinal));

    private static SourceConfig Set(string set) => With("{ _component_: torchtune.datasets.chat_dataset, source: ./data/chats, conversation_column: talk, conversation_style: sharegpt, packed: True }", set).Data.Sources[0];

    private static string Refused(string set) => Refusal("{ _component_: torchtune.datasets.chat_dataset, source: ./data/chats, conversation_column: talk, conversation_style: sharegpt, packed: True }", set);

    [Fact]
    public void A_lora_recipe_means_what_was_worked_out_by_hand()
    {
        var run = Theirs.Config(Lora);
        Assert.Equal(Theirs.Ours("""
            device: cpu
            model: { path: /models/small, dtype: bfloat16 }
            adapter:
              type: lora
              r: 64
              lora_alpha: 128
              lora_dropout: 0.05
              target_modules: [q_proj, v_proj, o_proj, gate_proj, up_proj, down_proj]
            data:
              sources: [{ path: data/rows.json, format: question_answer, columns: { answer: reply }, split: "train[:95%]" }]
              eval: { sources: [{ path: data/rows.json, format: question_answer, columns: { answer: reply }, split: "train[95%:]" }] }
              max_length: 1024
              truncation: truncate
              packing: false
              group_by_length: false
            training:
              output_dir: /runs/small/lora
              num_train_epochs: 2
              per_device_train_batch_size: 4
              per_device_eval_batch_size: 4
              gradient_accumulation_steps: 8
              learning_rate: 3e-4
              lr_scheduler_type: cosine
              warmup_steps: 100
              optim: adamw_torch_fused
              weight_decay: 0.02
              max_grad_norm: 0
              gradient_checkpointing: true
              seed: 7
              logging_steps: 1
              eval_steps: 50
            """), run with { Model = run.Model with { Path = Path.TrimEndingDirectorySeparator(run.Model.Path) } });
    }

    [Fact]
    public void A_full_recipe_means_what_was_worked_out_by_hand() => Assert.Equal(Theirs.Ours("""
        device: cuda
        model: { path: models/small, dtype: float32 }
        data:
          sources: [{ path: ./data/chats, format: sharegpt, columns: { conversations: talk } }]
          packing: true
          group_by_length: false
          shuffle: false
        training:
          output_dir: out
          num_train_epochs: 1
          per_device_train_batch_size: 2
          gradient_accumulation_steps: 1
          learning_rate: 2e-5
          lr_scheduler_type: constant
          optim: adamw_torch_fused
          weight_decay: 0.01
          max_grad_norm: 0
          gradient_checkpointing: false
          logging_steps: 1
        """), Theirs.Config(Full));

    [Fact]
    public void Every_key_is_said_once()
    {
        foreach (var file in (string[])[Lora, Full])
        {
            var keys = Theirs.Translate(file).Keys.Where(key => !key.IsDefault).Select(key => key.Key).ToList();
            Assert.Equal(keys.Distinct(), keys);
            Assert.Contains("checkpointer.checkpoint_files", keys);
            Assert.Contains("dataset.source", keys);
            Assert.Contains("optimizer.lr", keys);
        }
    }

    [Fact]
    public void A_translated_recipe_reads_back_equal_as_a_run_file_of_ours()
    {
        var translation = Theirs.Translate(Lora);
        var run = new RunFile(translation.Config(), translation);
        Assert.Equal(run.Config, ConfigFile.Parse<RunConfig>(TranslatedRun.Text(run, "run.yaml", "/runs", "schema.json"), "/runs/run.yaml"));
    }

    [Fact]
    public void What_differs_is_noted()
    {
        var report = Theirs.Translate(Full).Report();
        Assert.Contains("theirs.yaml is a run file of torchtune; here it means", report, StringComparison.Ordinal);
        Assert.Contains("there its state moves to main memory where the GPU is full, here it stays on the device", report, StringComparison.Ordinal);
        Assert.Contains("data.max_length stays 2048, and longer rows are left out and counted", report, StringComparison.Ordinal);
        Assert.Contains("few bits, here in 32", Theirs.Translate(Full.Replace("PagedAdamW", "PagedAdamW8bit", StringComparison.Ordinal)).Report(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{ _component_: torchtune.datasets.alpaca_cleaned_dataset, source: ./sets/alpaca }", "./sets/alpaca", "alpaca", null)]
    [InlineData("{ _component_: torchtune.datasets.alpaca_dataset, source: csv, data_files: a.csv, column_map: { instruction: task, output: out } }", "a.csv", "alpaca", "{instruction: task, output: out}")]
    [InlineData("{ _component_: torchtune.datasets.chat_dataset, source: json, data_files: a.json, conversation_column: chat, conversation_style: openai }", "a.json", "messages", "{messages: chat}")]
    [InlineData("{ _component_: torchtune.datasets.text_completion_dataset, source: text, data_files: a.txt, add_eos: True }", "a.txt", "text", null)]
    [InlineData("{ _component_: torchtune.datasets.text_completion_dataset, source: json, data_files: a.json, column: body }", "a.json", "text", "{text: body}")]
    [InlineData("{ _component_: torchtune.datasets.samsum_dataset, source: ./samsum }", "./samsum", "question_answer", "{answer: summary, question: dialogue}")]
    [InlineData("{ _component_: torchtune.datasets.instruct_dataset, source: ./x, train_on_input: True }", "./x", "question_answer", "{answer: output, question: input}")]
    public void Data_sets_are_sources(string set, string path, string format, string? columns)
    {
        var source = Set(set);
        Assert.Equal((Path.GetFullPath(path, Theirs.Folder), format, columns), (source.Path, source.Format, source.Columns?.ToString()));
    }

    [Fact]
    public void Alpaca_trains_on_its_prompts_unless_it_says_otherwise()
    {
        const string Old = "{ _component_: torchtune.datasets.chat_dataset, source: ./data/chats, conversation_column: talk, conversation_style: sharegpt, packed: True }";
        bool Trains(string more) => With(Old, $"{{ _component_: torchtune.datasets.alpaca_dataset, source: ./x{more} }}").Data.TrainOnPrompt;
        Assert.True(Trains(""));
        Assert.False(Trains(", train_on_input: False"));
    }

    [Fact]
    public void Texts_that_are_packed_are_one_stream() => Assert.Equal(PackingMode.Wrapped, With(
        "{ _component_: torchtune.datasets.chat_dataset, source: ./data/chats, conversation_column: talk, conversation_style: sharegpt, packed: True }",
        "{ _component_: torchtune.datasets.text_completion_dataset, source: ./data/texts, packed: True }").Data.Packing);

    [Fact]
    public void Several_sets_and_files_are_several_sources() => Assert.Equal(["/run/a.json", "/run/b.json", "/run/c"], With(
        "{ _component_: torchtune.datasets.chat_dataset, source: ./data/chats, conversation_column: talk, conversation_style: sharegpt, packed: True }",
        "[{ _component_: torchtune.datasets.chat_dataset, source: json, data_files: [a.json, b.json], conversation_style: openai }, { _component_: torchtune.datasets.instruct_dataset, source: ./c }]")
        .Data.Sources.Select(source => source.Path));

    [Theory]
    [InlineData("{ _component_: torchtune.datasets.alpaca_cleaned_dataset }", "theirs.yaml:5:12: dataset._component_: torchtune.datasets.alpaca_cleaned_dataset reads yahma/alpaca-cleaned, which is not here, and nothing is downloaded; fetch it (hf download yahma/alpaca-cleaned --repo-type dataset), and this file finds it in the local Hugging Face cache")]
    [InlineData("{ _component_: torchtune.datasets.instruct_dataset, source: someone/rows }", "theirs.yaml:5:62: dataset.source: someone/rows is not here, and nothing is downloaded; fetch it (hf download someone/rows --repo-type dataset), and this file finds it in the local Hugging Face cache")]
    [InlineData("{ _component_: torchtune.datasets.stack_exchange_paired_dataset }", "theirs.yaml:5:12: dataset._component_: torchtune.datasets.stack_exchange_paired_dataset trains on preferences or rewards, which is not built; supervised fine-tuning is")]
    [InlineData("{ _component_: torchtune.datasets.multimodal.the_cauldron_dataset, subset: ocrvqa }", "theirs.yaml:5:12: dataset._component_: torchtune.datasets.multimodal.the_cauldron_dataset is for images, and only text is built\ntheirs.yaml:5:77: dataset.subset: ocrvqa is a part of a data set of the Hub; name its files by data_files, or its folder by source")]
    [InlineData("{ _component_: torchtune.datasets.instruct_dataset, source: ./x, new_system_prompt: be kind }", "theirs.yaml:5:75: dataset.new_system_prompt: be kind is written before every conversation, which is not built; write it as the first turn of the rows")]
    [InlineData("{ _component_: torchtune.datasets.instruct_dataset, source: ./x, split: 'train[:5%]+test' }", "theirs.yaml:5:75: dataset.split: train[:5%]+test joins splits; write a data set for each of them")]
    [InlineData("{ _component_: torchtune.datasets.instruct_dataset }", "theirs.yaml:5:10: dataset.source is missing: a folder, or json with data_files")]
    [InlineData("rows.json", "theirs.yaml:5:1: dataset: rows.json must be a section with a _component_, or a list of such")]
    public void Sets_that_cannot_be_had_are_refused(string set, string message) => Assert.Equal(message, Refused(set));

    [Theory]
    [InlineData("torchtune.models.qwen2_5.qwen2_5_0_5b }", "torchtune.models.llama3_1.qlora_llama3_1_8b, lora_rank: 8 }",
        "theirs.yaml:2:10: model._component_: torchtune.models.llama3_1.qlora_llama3_1_8b holds the base in few bits, which is not built; leave it out to train on the whole weights (more memory): take lora_llama3_1_8b")]
    [InlineData("torchtune.models.qwen2_5.qwen2_5_0_5b }", "torchtune.models.llama3_2_vision.llama3_2_vision_11b, image_size: 560 }",
        "theirs.yaml:2:10: model._component_: torchtune.models.llama3_2_vision.llama3_2_vision_11b is for images, and only text is built\ntheirs.yaml:2:77: model.image_size: 560 is for images or sound, and only text is built")]
    [InlineData("torchtune.models.qwen2_5.qwen2_5_0_5b }", "torchtune.models.llama2.llama2, num_layers: 22 }", "theirs.yaml:2:55: model.num_layers: 22 makes a model of a shape of its own; here the config.json of checkpoint_dir says the shape: leave it out")]
    [InlineData("torchtune.models.qwen2_5.qwen2_5_0_5b }", "my_models.small }", "theirs.yaml:2:10: model._component_: my_models.small is Python of one's own; models are built in here")]
    [InlineData("FullModelHFCheckpointer", "FullModelMetaCheckpointer", "theirs.yaml:4:17: checkpointer._component_: torchtune.training.FullModelMetaCheckpointer reads weights in another form than Hugging Face's; FullModelHFCheckpointer with a Hugging Face folder is translated")]
    [InlineData("torchtune.modules.loss.CEWithChunkedOutputLoss", "torchtune.rlhf.loss.DPOLoss", "theirs.yaml:13:9: loss._component_: torchtune.rlhf.loss.DPOLoss trains on preferences or rewards, which is not built; supervised fine-tuning is")]
    [InlineData("bitsandbytes.optim.PagedAdamW", "torch.optim.SGD", "theirs.yaml:11:14: optimizer._component_: torch.optim.SGD is an optimizer that is not built; torch.optim.AdamW is")]
    [InlineData("shuffle: False", "shuffle: False\nquantizer: { _component_: torchtune.training.quantization.Int8DynActInt4WeightQATQuantizer }",
        "theirs.yaml:8:1: quantizer trains weights that are rounded as they will be when quantized, which is not built; leave it out")]
    [InlineData("shuffle: False", "shuffle: False\nkd_ratio: 0.5", "theirs.yaml:8:1: kd_ratio: 0.5 learns from another model (distillation), which is not built")]
    [InlineData("shuffle: False", "shuffle: False\nepoch: 3", "theirs.yaml:8:1: epoch: 3 is not known as a key of torchtune, did you mean 'epochs'?")]
    [InlineData("output_dir: out\n", "output_dir: ${place}/out\n", "theirs.yaml:1:13: ${place} refers to what is not in the file; write the value itself")]
    [InlineData("shuffle: False", "shuffle: False\nresume_from_checkpoint: True", "theirs.yaml:8:1: resume_from_checkpoint: True goes on from a checkpoint, which is not built; leave it out to begin anew")]
    public void What_is_not_built_is_refused_with_its_line(string old, string now, string message) => Assert.Equal(message, Refusal(old, now));

    [Theory]
    [InlineData("prompt: { user: Tell a joke. }\nmax_new_tokens: 5", "theirs.yaml:3:1: this file generates text, which is a command here: llmtune generate /models/small --prompt TEXT")]
    [InlineData("tasks: [truthfulqa_mc2]", "theirs.yaml:3:1: this file measures a model, which is a command here: llmtune eval /models/small --data FILE")]
    [InlineData("quantizer: { _component_: torchtune.training.quantization.Int8DynActInt4WeightQuantizer }", "theirs.yaml:3:1: this file writes a quantized model, which is not built")]
    public void Files_for_other_purposes_name_the_command(string more, string message) => Assert.Equal(message, Theirs.Problems(
        $"model: {{ _component_: torchtune.models.llama3.llama3_8b }}\ncheckpointer: {{ _component_: torchtune.training.FullModelHFCheckpointer, checkpoint_dir: /models/small }}\n{more}"));

    [Fact]
    public void Files_of_the_tokenizer_elsewhere_name_their_folder()
    {
        Assert.Null(Theirs.Config(Full).Model.Tokenizer);
        Assert.Equal("/run/other", With("models/small/vocab.json, merges_file: models/small/merges.txt", "./other/vocab.json").Model.Tokenizer);
    }

    [Fact]
    public void Steps_are_of_all_epochs() => Assert.Equal(30, With("epochs: 1", "epochs: 3\nmax_steps_per_epoch: 10").Training.MaxSteps);

    /// <summary>What the modules of attention are called there and here, and the parts beside them.</summary>
    [Theory]
    [InlineData("['q_proj', 'v_proj', 'output_proj']\n  apply_lora_to_mlp: True", new[] { "q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj" })]
    [InlineData("['k_proj']\n  apply_lora_to_mlp: False", new[] { "k_proj" })]
    public void Modules_have_their_names(string modules, string[] names) => Assert.Equal(
        ModuleSelector.Names(names),
        ((LoraConfig)Theirs.Config(Lora.Replace("['q_proj', 'v_proj', 'output_proj']\n  apply_lora_to_mlp: True", modules, StringComparison.Ordinal)).Adapter!).TargetModules);
}

using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Models;
using LlmTune.Recipes;
using LlmTune.Training;

namespace LlmTune.Tests.Recipes.OtherTools;

public class LlamaFactoryTests
{
    /// <summary>The least that trains, so that every default of LLaMA-Factory's stands out.</summary>
    private const string Least = """
        model_name_or_path: Qwen/Qwen3-0.6B
        do_train: true
        dataset: one
        output_dir: saves/x
        """;

    private static RunConfig With(string more) => Theirs.Config($"{Least}\n{more}");

    private static string Problems(string more) => Theirs.Problems($"{Least}\n{more}");

    [Fact]
    public void Its_defaults_are_carried_over()
    {
        var run = Theirs.Config(Least);
        Assert.Equal(Theirs.Ours("""
            model: { path: Qwen/Qwen3-0.6B }
            adapter: { type: lora, r: 8, lora_alpha: 16, lora_dropout: 0, target_modules: all-linear }
            data:
              sources: [{ name: one, dir: data }]
              max_length: 2048
              truncation: truncate
              packing: false
              group_by_length: false
            training:
              output_dir: saves/x
              per_device_train_batch_size: 8
              gradient_accumulation_steps: 1
              learning_rate: 5e-5
              lr_scheduler_type: linear
              num_train_epochs: 3
              warmup_steps: 0
              weight_decay: 0
              max_grad_norm: 1
              seed: 42
            """), run);
        Assert.Equal(0, run.Training.Warmup(1000));
        Assert.Equal("/run/data", run.Data.Sources[0].Dir);
        Assert.Equal("/run/saves/x", run.Training.OutputDir);
    }

    [Fact]
    public void A_whole_file_means_what_was_worked_out_by_hand()
    {
        const string File = """
            ### model
            model_name_or_path: ./models/small
            trust_remote_code: true
            flash_attn: fa2

            stage: sft
            do_train: yes
            finetuning_type: lora
            lora_rank: 16
            lora_alpha: 16
            lora_dropout: 0.1
            lora_target: q_proj, v_proj
            additional_target: embed_tokens,lm_head
            use_rslora: true

            dataset: one, two
            dataset_dir: sets
            eval_dataset: three
            mix_strategy: interleave_over
            interleave_probs: 0.7,0.3
            max_samples: 1_000
            template: llama3
            cutoff_len: 1024
            neat_packing: true
            mask_history: true
            overwrite_cache: true
            preprocessing_num_workers: 16

            output_dir: saves/small
            logging_steps: 10
            save_steps: 500
            plot_loss: true
            report_to: none
            per_device_train_batch_size: 2
            gradient_accumulation_steps: 8
            learning_rate: 1.0e-4
            num_train_epochs: 2.5
            lr_scheduler_type: cosine
            warmup_ratio: 0.1
            optim: paged_adamw_32bit
            bf16: true
            ddp_timeout: 180000000
            resume_from_checkpoint: null
            eval_strategy: steps
            eval_steps: 50
            per_device_eval_batch_size: 1
            disable_gradient_checkpointing: true
            seed: 7
            """;
        Assert.Equal(Theirs.Ours("""
            model: { path: ./models/small, dtype: bfloat16 }
            adapter:
              { type: lora, r: 16, lora_alpha: 16, lora_dropout: 0.1, target_modules: [q_proj, v_proj], modules_to_save: [embed_tokens, lm_head], use_rslora: true }
            data:
              sources: [{ name: one, dir: sets, limit: 1000, weight: 0.7 }, { name: two, dir: sets, limit: 1000, weight: 0.3 }]
              eval: { sources: [{ name: three, dir: sets, limit: 1000 }] }
              mixing: all_exhausted
              max_length: 1024
              truncation: truncate
              packing: true
              group_by_length: false
              mask_history: true
            training:
              output_dir: saves/small
              logging_steps: 10
              per_device_train_batch_size: 2
              per_device_eval_batch_size: 1
              gradient_accumulation_steps: 8
              learning_rate: 1e-4
              num_train_epochs: 2.5
              lr_scheduler_type: cosine
              warmup_ratio: 0.1
              optim: adamw_torch_fused
              eval_strategy: steps
              eval_steps: 50
              gradient_checkpointing: false
              seed: 7
            """), Theirs.Config(File));
        Theirs.EveryKeyOnce(File, Theirs.Translate(File));
    }

    [Fact]
    public void Pretraining_is_one_stream_of_texts()
    {
        var run = With("stage: pt\ntemplate: llama3");
        Assert.Equal(PackingMode.Wrapped, run.Data.Packing);
        Assert.Equal(PackingMode.None, With("stage: pt\npacking: false").Data.Packing);
        Assert.Equal(PackingMode.BestFit, With("packing: true").Data.Packing);
    }

    [Theory]
    [InlineData("val_size: 0.1", 0.1, null)]
    [InlineData("val_size: 200", null, 200)]
    [InlineData("val_size: 0.0", null, null)]
    public void What_is_held_out_is_a_share_or_a_number(string line, double? fraction, int? count)
    {
        var eval = With(line).Data.Eval;
        Assert.Equal((fraction, count), (eval?.Fraction, eval?.Count));
        Assert.True(eval is null || With(line).Training.EvalStrategy == EvalStrategy.No);   // transformers' default
    }

    [Fact]
    public void Steps_between_evaluations_are_those_between_lines_of_the_log_unless_said() =>
        Assert.Equal((20, 500), (
            With("val_size: 0.1\neval_strategy: steps\nlogging_steps: 20").Training.EvalSteps,
            With("val_size: 0.1\neval_strategy: steps").Training.EvalSteps));

    [Theory]
    [InlineData("warmup_ratio: 0.1", 10)]
    [InlineData("warmup_steps: 7", 7)]
    [InlineData("warmup_steps: 0\nwarmup_ratio: 0.2", 20)]
    [InlineData("warmup_steps: 7\nwarmup_ratio: 0.2", 7)]
    [InlineData("lr_scheduler_type: constant\nwarmup_ratio: 0.2", 0)]
    [InlineData("lr_scheduler_type: constant_with_warmup\nwarmup_ratio: 0.2", 20)]
    public void Warm_up_is_as_in_transformers(string lines, int stepsOfHundred) => Assert.Equal(stepsOfHundred, With(lines).Training.Warmup(100));

    [Fact]
    public void Whole_models_and_parts_of_them_have_no_adapter()
    {
        Assert.Null(With("finetuning_type: full\nlora_rank: 8").Adapter);
        Assert.Equal(TrainableParts.All, With("finetuning_type: full").Model.Trainable);
        Assert.Equal(Trainable("{ last_layers: 2 }"), With("finetuning_type: freeze").Model.Trainable);
        Assert.Equal(Trainable("{ last_layers: 8 }"), With("finetuning_type: freeze\nfreeze_trainable_layers: 8").Model.Trainable);
        Assert.Equal(Trainable("[layers.0.mlp, layers.1.mlp, lm_head]"),
            With("finetuning_type: freeze\nfreeze_trainable_layers: -2\nfreeze_trainable_modules: mlp\nfreeze_extra_modules: lm_head").Model.Trainable);

        static TrainableParts Trainable(string yaml) => Theirs.Ours($$"""
            model: { path: x, trainable: {{yaml}} }
            data: { sources: [{ path: x }] }
            training: { output_dir: x }
            """).Model.Trainable;
    }

    [Fact]
    public void An_adapter_that_is_gone_on_with_keeps_its_own_settings() =>
        Assert.Equal(new LoraConfig { Path = "/run/saves/first", Alpha = 32 }, With("adapter_name_or_path: saves/first\nlora_rank: 32").Adapter);

    [Fact]
    public void Settings_are_overridden_by_our_names()
    {
        var run = Theirs.Config(Least, "adapter.r=4", "learning_rate=1e-3", "model.path=/models/y");
        Assert.Equal((4, 1e-3, "/models/y"), (((LoraConfig)run.Adapter!).Rank, run.Training.LearningRate, run.Model.Path));
    }

    [Fact]
    public void All_that_has_no_counterpart_is_said_at_once_with_its_line() => Assert.Equal("""
        theirs.yaml:5:1: stage: dpo trains on preferences or rewards, which is not built; supervised fine-tuning is
        theirs.yaml:6:1: use_dora: true is DoRA, which is not built; leave it out for plain LoRA
        theirs.yaml:7:1: quantization_bit: 4 holds the base in few bits, which is not built; leave it out to train on the whole weights (more memory)
        theirs.yaml:9:1: learnig_rate: 1e-4 is not known as a key of LLaMA-Factory, did you mean 'learning_rate'?
        theirs.yaml:10:12: lora_rank: adapter.r must be a whole number, got 'eight'
        theirs.yaml:11:15: lora_dropout: adapter.lora_dropout must be at least 0 and less than 1, got 1.5
        theirs.yaml:12:1: optim: lion_8bit is an optimizer that is not built; adamw_torch is
        theirs.yaml:13:1: image_max_pixels: 5 is for images, video or sound, and only text is built; leave such keys out to train a language model
        """.ReplaceLineEndings("\n"), Problems("""
        stage: dpo
        use_dora: true
        quantization_bit: 4
        pref_beta: 0.1
        learnig_rate: 1e-4
        lora_rank: eight
        lora_dropout: 1.5
        optim: lion_8bit
        image_max_pixels: 5
        video_fps: 1
        """));

    [Theory]
    [InlineData("interleave_probs: 0.5", "theirs.yaml:5:1: interleave_probs goes with mix_strategy: interleave_under or interleave_over")]
    [InlineData("mix_strategy: interleave_under\ninterleave_probs: 0.5,0.5", "theirs.yaml:6:1: interleave_probs has 2 numbers for 1 data sets")]
    [InlineData("val_size: 0.1\neval_dataset: x", "theirs.yaml:6:1: eval_dataset: x cannot stand beside val_size; keep one of them")]
    [InlineData("eval_strategy: steps", "theirs.yaml:5:1: eval_strategy: steps asks for evaluation, but nothing is held out; add val_size or eval_dataset, or leave it out")]
    [InlineData("lr_scheduler_type: reduce_lr_on_plateau", "theirs.yaml:5:1: lr_scheduler_type: reduce_lr_on_plateau is a schedule that is not built; llmtune schema --list names those that are")]
    [InlineData("fp16: true\nfinetuning_type: full", "theirs.yaml:5:7: fp16: model.dtype must be bfloat16 or float32 where the model itself is trained: gradients in float16 vanish")]
    [InlineData("adapter_name_or_path: a,b", "theirs.yaml:5:1: adapter_name_or_path: a,b names several adapters; merge all but the last (llmtune merge ADAPTER --output FOLDER) and give that folder as the model")]
    [InlineData("finetuning_type: freeze\nfreeze_extra_modules: norm", "theirs.yaml:6:1: freeze_extra_modules: norm goes with the last layers, whose numbers depend on the model; name them in a run file of ours: model.trainable: [layers.30.mlp, layers.31.mlp]")]
    [InlineData("template: qwen3\nenable_thinking: false", "theirs.yaml:6:1: enable_thinking: false puts an empty thought before every answer as part of the prompt; give a template with such a prompt by model.chat_template in a run file of ours")]
    public void What_does_not_go_together_is_refused(string lines, string message) => Assert.Equal(message, Problems(lines));

    [Theory]
    [InlineData("adapter_name_or_path: saves/a\nexport_dir: out", "theirs.yaml:3:1: this file merges an adapter, which is a command here: llmtune merge saves/a --base models/m --output out")]
    [InlineData("template: llama3\ninfer_backend: huggingface", "theirs.yaml:3:1: this file generates text, which is a command here: llmtune generate models/m --prompt TEXT")]
    [InlineData("adapter_name_or_path: saves/a\ndo_predict: true\neval_dataset: x", "theirs.yaml:3:1: this file measures a model, which is a command here: llmtune eval saves/a --base models/m --data FILE")]
    public void Files_for_other_purposes_name_the_command(string lines, string message) => Assert.Equal(message, Theirs.Problems($"model_name_or_path: models/m\n{lines}"));

    [Fact]
    public void The_report_says_what_became_what()
    {
        var report = Theirs.Translate($"{Least}\ntemplate: llama3\nhf_hub_token: secret\ndeepspeed: ds.json").Report();
        Assert.Equal("""
            theirs.yaml is a run file of LLaMA-Factory; here it means
              model_name_or_path: Qwen/Qwen3-0.6B  → model.path: Qwen/Qwen3-0.6B
              dataset: one                         → data.sources: [{ name: one, dir: data }]
              output_dir: saves/x                  → training.output_dir: saves/x
              (stage: sft)                         → objective.type: sft
              (finetuning_type: lora)              → adapter.type: lora
              (lora_rank: 8)                       → adapter.r: 8
              (lora_target: all)                   → adapter.target_modules: all-linear
              (dataset_dir: data)                  → dir: data of every source
              (packing: null)                      → data.packing: false
              (group_by_length: false)             → data.group_by_length: false
              (per_device_train_batch_size: 8)     → training.per_device_train_batch_size: 8
              (learning_rate: 5e-5)                → training.learning_rate: 5e-5
              (lr_scheduler_type: linear)          → training.lr_scheduler_type: linear
              (warmup_steps: 0)                    → training.warmup_steps: 0
            In brackets: not in the file, LLaMA-Factory's default
            Without effect here
              do_train: true (llmtune train trains)
              template: llama3 (the model's own chat template renders conversations; model.chat_template names another one)
              hf_hub_token: … (nothing is sent to or fetched from the Hub)
              deepspeed: ds.json (the run computes on one device)
            To know
              on N devices a step there has N times the rows of one: multiply gradient_accumulation_steps by N to train alike
              data.truncation: truncate, since LLaMA-Factory cuts what is longer than cutoff_len (of a prompt it keeps the beginning, here the end is kept)
              model.dtype stays auto, bfloat16 on a GPU that has it, else float32; LLaMA-Factory would take the checkpoint's type
              relative paths count from the current folder, as in LLaMA-Factory: /run
            """.ReplaceLineEndings("\n"), report);
    }
}
